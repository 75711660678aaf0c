"""The dispute of KS11 on a real atom, in numbers: does the atom enhance magnetic scattering?"""

from jaxnu.examination.atom import Examination, examine

__all__ = ["Examination", "examine"]
