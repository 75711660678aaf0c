"""Limits: numbers of independent fits, iminuit, boundary and interior, conventions, failures."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import chi2, norm

from jaxnu import FitError, InputError, flux, limit, load_experiment, response, sensitivity
from jaxnu.counts import background_counts, expected_counts
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.inference.limit_inputs import statistic_threshold
from jaxnu.inference.limits import _check_fit, _Fit

# XENONnT in 0.5-keV bins, 90%, one floating norm: an independent fit, in 1e-12 μ_B
QUOTED = {
    ("free", "two-sided"): 6.39,
    ("free", "one-sided"): 5.12,
    ("stepping", "two-sided"): 7.12,
    ("stepping", "one-sided"): 5.71,
}


@pytest.fixture(scope="module")
def xen_deviance(xenon_templates):
    """−2 ln L(x, norm) of counts in numpy."""
    signal, background = xenon_templates

    def deviance(n, x, norm):
        mean = x * signal + norm * background
        seen = n > 0.0
        return 2.0 * (np.sum(mean) - np.sum(n[seen] * np.log(mean[seen] / n[seen])))

    deviance.background = background
    return deviance


@pytest.mark.parametrize(("model", "convention"), QUOTED)
def test_xenonnt(xenonnt, model, convention, agree):
    result = limit(xenonnt, response("Xe", model), convention=convention)
    print(result.summary())
    quoted = QUOTED[model, convention]
    agree(f"XENONnT, {model}, Δ = {result.delta:.3f}", result.limit_mu_B * 1e12, quoted, 0.02)
    assert result.status == "converged" and result.residual < 1e-8
    assert result.data == "observed" and result.response == model


@pytest.mark.parametrize(("model", "convention"), QUOTED)
def test_xenonnt_with_the_same_fluxes(xenonnt, model, convention, agree):
    """The independent fit has pp, 7Be and pep alone; CNO, 8B and hep lower a limit by 0.4%."""
    silent = dict.fromkeys(("13N", "15O", "17F", "8B", "hep"), 0.0)
    alike = xenonnt.replace(source=flux.solar(fluxes=silent))
    result = limit(alike, response("Xe", model), convention=convention)
    quoted = QUOTED[model, convention]
    agree(f"pp + 7Be + pep, {model}, {convention}", result.limit_mu_B * 1e12, quoted, 2e-3)


def test_best_fit_of_xenonnt_is_on_the_boundary_exactly(observed, plain_fit, xenonnt,
                                                         xenon_templates, agree):  # fmt: skip
    x, norm_, _ = plain_fit(xenonnt.counts, *xenon_templates).best()
    assert x == 0.0 and observed.best_fit_mu2 == 0.0
    agree("background norm", observed.nuisances["background"], norm_, 1e-6)


@pytest.mark.parametrize(
    ("convention", "level"), [("two-sided", 0.9), ("one-sided", 0.9), ("two-sided", 0.3)]
)
def test_limit_is_iminuits_on_xenonnt(xenonnt, stepping, plain_fit, xenon_templates, convention,
                                      level, unit, agree):  # fmt: skip
    result = limit(xenonnt, stepping, level, convention)
    x_up = plain_fit(xenonnt.counts, *xenon_templates).upper(result.delta)
    agree(f"limit, {convention}, {level}", result.limit_mu_B, np.sqrt(x_up * unit), 1e-4)


def test_limit_and_best_fit_are_iminuits_on_pseudo_data(pseudo, stepping, plain_fit,
                                                         xenon_templates, unit, agree):  # fmt: skip
    result = limit(pseudo, stepping)
    fit = plain_fit(pseudo.counts, *xenon_templates)
    x, norm_, _ = fit.best()
    assert x > 0.1  # interior
    agree("best fit μ²/1e-22", result.best_fit_mu2 / unit, x, 1e-4)
    agree("background norm", result.nuisances["background"], norm_, 1e-4)
    agree("limit", result.limit_mu_B, np.sqrt(fit.upper(result.delta) * unit), 1e-4)


def test_an_injected_signal_comes_back(xenonnt, stepping, agree):
    injected = 2.3e-22
    counts = expected_counts(xenonnt, injected, stepping, {"background": 1.1})
    result = limit(xenonnt.replace(counts=counts), stepping)
    agree("injected μ²", result.best_fit_mu2, injected, 1e-8)
    agree("injected norm", result.nuisances["background"], 1.1, 1e-9)
    assert result.limit_mu2 > injected


def test_scan_is_the_profile_of_the_test_statistic(pseudo, stepping, plain_fit, xenon_templates,
                                                    unit, agree):  # fmt: skip
    result = limit(pseudo, stepping)
    fit = plain_fit(pseudo.counts, *xenon_templates)
    lowest = fit.best()[2]
    at = [0, 10, 40, 60]
    direct = [fit.migrad(result.scan_mu2[i] / unit)[2] - lowest for i in at]
    agree("q(μ²)", result.scan_q[at], direct, 1e-5, scale=result.delta)
    crossing = np.interp(result.limit_mu2, result.scan_mu2, result.scan_q)
    agree("q at the limit", crossing, result.delta, 1e-3)


def test_result_holds_what_was_fitted(observed, xenonnt, xenon_templates, unit, agree):
    signal, background = xenon_templates
    agree("signal at the limit", observed.signal, observed.limit_mu2 / unit * signal, 1e-12)
    agree("background at the best fit", observed.background,
          observed.nuisances["background"] * background, 1e-12)  # fmt: skip
    np.testing.assert_array_equal(observed.counts, xenonnt.counts)
    plain = observed.as_dict()
    assert plain["limit_mu_B"] == observed.limit_mu_B and "gradient" not in plain
    assert {"experiment", "limit_mu_B", "confidence_level", "convention", "method", "response",
            "best_fit_mu2", "derivatives", "status", "version"} <= set(plain)  # fmt: skip


@pytest.mark.parametrize("level", [0.68, 0.90, 0.95])
def test_thresholds_of_the_statistic(level, agree):
    two = statistic_threshold(level, "two-sided")
    agree("Δ two-sided", two, chi2.ppf(level, df=1), 1e-12)
    agree("Δ one-sided", statistic_threshold(level, "one-sided"), norm.ppf(level) ** 2, 1e-12)


def test_threshold_of_ninety_per_cent():
    assert statistic_threshold(0.90, "two-sided") == pytest.approx(2.706, abs=5e-4)
    assert statistic_threshold(0.90, "one-sided") == pytest.approx(1.642, abs=5e-4)


def test_limit_rises_with_the_confidence_level(xenonnt, stepping, observed):
    levels = [0.68, 0.95, 0.99]
    limits = [limit(xenonnt, stepping, confidence_level=c).limit_mu_B for c in levels]
    print(dict(zip(levels, limits, strict=True)), observed.limit_mu_B)
    assert limits[0] < observed.limit_mu_B < limits[1] < limits[2]


def test_gemma_forecast(agree):
    result = sensitivity(load_experiment("gemma"), response("Ge", "stepping"))
    print(result.summary())
    # reactor-on spectrum with a floating flat background, an independent calculation
    agree("GEMMA, expected limit in 1e-11 μ_B", result.limit_mu_B * 1e11, 3.6, 0.05)
    assert result.data == "Asimov" and result.best_fit_mu2 == 0.0


@pytest.mark.slow
def test_a_short_fit_that_is_cut_short_is_done_by_the_general_one(xenonnt, stepping, agree):
    numerics = dataclasses.replace(xenonnt.numerics, fit_iterations=1, root_iterations=1)
    short = limit(xenonnt.replace(numerics=numerics), stepping)
    agree("limit", short.limit_mu_B, limit(xenonnt, stepping).limit_mu_B, 1e-9)


@pytest.mark.parametrize("residual", [1e-3, float("nan")])
def test_what_a_fit_leaves_decides(xenonnt, xenon_templates, residual):
    signal, background = xenon_templates
    model = BinnedModel(np.asarray(xenonnt.counts), signal, background, np.ones(()), True)
    left = _Fit(np.array([0.0, 1.0]), np.array(residual), np.zeros(1), np.zeros(1))
    with pytest.raises(FitError, match="did not converge") as failure:
        _check_fit(xenonnt, model, left)
    print(failure.value)
    assert len(str(failure.value).splitlines()) == 1
    _check_fit(xenonnt, model, left._replace(residual=np.array(1e-10)))


def test_counts_where_nothing_is_expected_are_refused(xenonnt, stepping):
    background = xenonnt.parameters.background.at[-1].set(0.0)
    dark = xenonnt.replace(background=background, efficiency=0.0 * xenonnt.parameters.efficiency)
    with pytest.raises(InputError, match="expected signal is 0 events"):
        limit(dark, stepping)


HARD = {  # counts of XENONnT that leave no room for its background, or hold no signal
    "zero counts": lambda n: 0.0 * n,
    "one event": lambda n: np.eye(n.size)[0],
    "events in one bin": lambda n: 1e4 * np.eye(n.size)[-1],
    "one bin far above": lambda n: n + 1e5 * np.eye(n.size)[0],
    "a tenth of the counts": lambda n: np.floor(0.1 * n),
}


@pytest.mark.slow
def test_hard_counts_have_the_limit_of_a_norm_above_zero(xenonnt, stepping, xen_deviance, agree):
    """Each against a search in scipy with norm ≥ 0: none is a silent wrong limit."""
    from scipy.optimize import brentq, minimize_scalar

    for name, change in HARD.items():
        seen = xenonnt.replace(counts=change(np.asarray(xenonnt.counts)))
        result = limit(seen, stepping)
        counts = np.asarray(seen.counts)
        most = 2.0 * np.max(counts / xen_deviance.background) + 1.0
        assert result.nuisances["background"] >= 0.0

        def profile(x, n=counts, most=most):
            found = minimize_scalar(
                lambda norm: xen_deviance(n, x, norm), bounds=(0.0, most), method="bounded",
                options={"xatol": 1e-12},
            )  # fmt: skip
            return min(found.fun, xen_deviance(n, x, 1e-12))

        hat = result.best_fit_mu2 / 1e-22
        delta = result.delta
        x = brentq(lambda x: profile(x) - profile(hat) - delta, hat + 1e-6, 2.0 * hat + 30.0)  # noqa: B023
        agree(f"{name}: x̂ = {hat:.4g}", result.limit_mu2 / 1e-22, x, 1e-5)
        near = [profile(hat * (1.0 + step)) for step in (-0.02, 0.0, 0.02)]
        assert near[1] <= min(near) + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("factor", [300.0, 1100.0, 1500.0, 2000.0, 1e5])
def test_a_floating_norm_has_no_unit(xenonnt, stepping, observed, factor, agree):
    """The background as given, larger than the fitted one by any factor, changes nothing."""
    large = xenonnt.replace(background=factor * xenonnt.parameters.background)
    result = limit(large, stepping)
    agree("limit", result.limit_mu_B, observed.limit_mu_B, 1e-9)
    norm_ = float(observed.nuisances["background"])
    agree("norm", factor * result.nuisances["background"], norm_, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 30])
def test_one_bin(xenonnt, stepping, kept):
    """One bin cannot tell a signal from a floating norm, and says so; a constrained one has a
    limit."""
    edges = np.asarray(xenonnt.parameters.bin_edges_keV)[kept : kept + 2]
    one = {
        "counts": xenonnt.counts[kept : kept + 1],
        "background": xenonnt.parameters.background[kept : kept + 1],
        "bin_edges_keV": edges,
        "acceptance": xenonnt.acceptance[kept : kept + 1],
        "transfer_edges_keV": xenonnt.transfer_edges_keV,
    }
    for method in ("profile", "cls"):
        with pytest.raises(FitError, match=r"one shape \(bins: 1\)") as failure:
            limit(xenonnt.replace(**one), stepping, method=method)
        print(failure.value)
    # beside another experiment it does no harm: its signal is at most its counts
    alone = limit(xenonnt, stepping, details=True).limit_mu_B
    pair = [xenonnt, xenonnt.replace(**one, name="one bin")]
    assert alone >= limit(pair, [stepping, stepping]).limit_mu_B > 0.8 * alone
    known = xenonnt.replace(**one, background_floating=False, background_uncertainty=0.05)
    result = limit(known, stepping)
    print(result.summary())
    assert 1e-12 < result.limit_mu_B < 1e-9


def test_arguments_are_checked(xenonnt, stepping):
    for options, words in (
        ({"confidence_level": 90}, "confidence_level = 90 is outside [0.001, 1)"),
        (
            {"confidence_level": 0.5, "convention": "one-sided"},
            "confidence_level = 0.5 is outside [0.5005, 1) (one-sided)",
        ),
        ({"confidence_level": float("nan")}, "confidence_level = nan"),
        ({"convention": "feldman-cousins"}, "convention = 'feldman-cousins'"),
        ({"method": "bays"}, "method = 'bays'"),
    ):
        with pytest.raises(InputError) as refusal:
            limit(xenonnt, stepping, **options)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
    with pytest.raises(InputError, match="gemma has no counts"):
        limit(load_experiment("gemma"))
    with pytest.raises(InputError, match="response is for 'Ge'"):
        limit(xenonnt, response("Ge", "stepping"))


@pytest.mark.slow
def test_what_moves_with_the_threshold(xenonnt, stepping):
    """Observed: the background's shape stays. Asimov: it passes the efficiency like the signal.

    0.9694, 0.269: numpy calculations of their own, 400 points a bin, difference of 3 eV.
    """
    moved = xenonnt.replace(threshold_keV=1.01 * float(xenonnt.parameters.threshold_keV))
    for has_efficiency in (True, False):
        one = xenonnt.replace(background_has_efficiency=has_efficiency)
        two = moved.replace(background_has_efficiency=has_efficiency)
        np.testing.assert_array_equal(background_counts(one, False), background_counts(two, False))
        step = np.asarray(background_counts(two) / background_counts(one))
        print(f"rate has efficiency {has_efficiency}: first bins move by {step[:4] - 1}")
        assert step[0] < 0.97 and step[-1] == pytest.approx(1.0, abs=1e-3)
    assert limit(xenonnt, stepping).derivatives["threshold_keV"] == pytest.approx(0.9694, abs=1e-3)
    asimov = sensitivity(xenonnt, stepping)
    assert asimov.derivatives["threshold_keV"] == pytest.approx(0.269, abs=1e-3)
    assert asimov.expected_mu_B == pytest.approx(asimov.limit_mu_B, rel=1e-12)
