"""All pictures of the gallery, with what is to be said of them."""

from __future__ import annotations

from sklsq.gallery.design_matrix import draw_polynomials, draw_surface, draw_terms
from sklsq.gallery.exponential import draw_exponential
from sklsq.gallery.peak import draw_contours, draw_correlations, draw_fit, draw_search
from sklsq.gallery.picture import Picture
from sklsq.gallery.residuals import draw_outliers, draw_wave
from sklsq.gallery.straight_line import draw_band, draw_designs, draw_line
from sklsq.gallery.type_two import draw_type_two, draw_york

__all__ = ["PICTURES"]

PICTURES = (
    Picture(
        name="3-1-1-residuals",
        section="3.1.1",
        title="Look at the residuals",
        draw=draw_wave,
        caption=(
            "A straight line through data that also carry a wave of {size:.2g} σ. χ² "
            "(p = {p_chi2:.2g}) and the histogram (normality p = {p_normal:.2g}) say little; the "
            "residuals over x show the wave, and the tests of their order find it: "
            "autocorrelation p = {p_serial:.1e}, runs p = {p_runs:.1e}."
        ),
        size=(13.0, 4.4),
    ),
    Picture(
        name="3-1-1-outliers",
        section="3.1.1",
        title="Leave out what is too far off",
        draw=draw_outliers,
        caption=(
            "Of {n} points {rejected} lie beyond {n_sigma:g} σ and are rejected (hollow). Without "
            "them the slope is {slope:.3f} ± {slope_std:.3f} and χ²/dof = {reduced:.2f}; with "
            "them it would be {plain:.3f}, with χ²/dof = {plain_reduced:.2f}."
        ),
        size=(9.0, 5.4),
    ),
    Picture(
        name="3-2-1-line",
        section="3.2.1",
        title="A straight line with error bars",
        draw=draw_line,
        caption=(
            "Cross section of negative pions on protons over inverse energy. χ² = {chi2:.1f} for "
            "{dof} degrees of freedom (p = {p:.2g}): the line is adequate. Correlation "
            "coefficient r = {r:.2f}."
        ),
        size=(9.0, 5.4),
    ),
    Picture(
        name="3-2-2-designs",
        section="3.2.2",
        title="Errors depend on where you measured",
        draw=draw_designs,
        caption=(
            "As many points with the same σ = {sigma:g}, close together or far apart: the slope is "
            "known to ± {narrow_b:.2f} or ± {wide_b:.3f}, the intercept to ± {narrow_a:.2f} or "
            "± {wide_a:.2f}, whatever is measured (ellipses of {level:.0f} %). Intercept and slope "
            "are correlated ({narrow_r:.2f} and {wide_r:.2f}); level at the mean of x and slope "
            "are not."
        ),
        size=(13.0, 4.4),
    ),
    Picture(
        name="3-2-3-band",
        section="3.2.3",
        title="The error of a predicted value needs the covariance",
        draw=draw_band,
        caption=(
            "The error of the line is a hyperbola, {std:.1f} at its least (x = {x:.2f}). Without "
            "the covariance of intercept and slope (correlation {r:.2f}) one would state "
            "{without:.1f} there, {ratio:.1f} times too much."
        ),
    ),
    Picture(
        name="3-2-4-type-two",
        section="3.2.4",
        title="Lines for errors in both coordinates",
        draw=draw_type_two,
        caption=(
            "The regressions of y on x (slope {y_on_x:.3f}) and of x on y ({x_on_y:.3f}) disagree; "
            "the reduced major axis is their geometric mean, {geometric:.3f}. York's line, which "
            "knows the errors of each point, has {york:.3f} ± {york_std:.3f}."
        ),
    ),
    Picture(
        name="3-2-5-york",
        section="3.2.5",
        title="The least-squares cubic",
        draw=draw_york,
        caption=(
            "York's line through Pearson's data: slope {slope:.4f} ± {slope_std:.4f}, intercept "
            "{intercept:.3f} ± {intercept_std:.3f}, χ² = {chi2:.2f} for {dof} degrees of freedom. "
            "Each point is moved to where it most likely belongs, along the direction that its "
            "two errors allow."
        ),
        size=(9.0, 6.0),
    ),
    Picture(
        name="3-3-1-polynomials",
        section="3.3.1",
        title="Polynomials ring, and explode",
        draw=draw_polynomials,
        caption=(
            "Polynomials through a step. With the degree the ringing does not vanish but gets "
            "denser (at degree {last} it still overshoots by {over_15:.2f}), and {beyond:.0f} % of "
            "the range beyond the data (grey) they are at {end_3:.1f}, {end_9:.0f} and "
            "{end_15:.0f}."
        ),
        size=(12.0, 4.2),
    ),
    Picture(
        name="3-3-2-terms",
        section="3.3.2",
        title="Any functions, by the design matrix",
        draw=draw_terms,
        caption=(
            "A fit of {n_terms} functions, whose coefficients enter linearly: χ² = {chi2:.1f} for "
            "{dof} degrees of freedom, the sine with {sine:.2f} ± {sine_std:.2f}."
        ),
        size=(12.0, 5.2),
    ),
    Picture(
        name="3-3-4-surface",
        section="3.3.4",
        title="A surface over two coordinates",
        draw=draw_surface,
        caption=(
            "A biquadratic surface (terms {terms}) through {n} scattered stations: χ² = {chi2:.1f} "
            "for {dof} degrees of freedom. Its standard error (white) is {least:.2f} in the middle "
            "and up to {most:.2f} in the corners."
        ),
        size=(13.0, 5.2),
    ),
    Picture(
        name="3-3-5-exponential",
        section="3.3.5",
        title="An exponential by its logarithms",
        draw=draw_exponential,
        caption=(
            "Equal errors of y (σ = {sigma:g}) are unequal errors of log y. Carried along they "
            "give the rate {carried:.3f} ± {carried_std:.3f}, close to that of the curve itself, "
            "{direct:.3f} ± {direct_std:.3f} (truth {truth:g}). With all logarithms alike the "
            "smallest values count as much as the others: {alike:.3f} ± {alike_std:.3f}, an error "
            "{ratio:.1f} times as large."
        ),
        size=(13.5, 4.4),
    ),
    Picture(
        name="3-4-1-search",
        section="3.4.1",
        title="Starts, and local minima",
        draw=draw_search,
        caption=(
            "χ² of the peak over its centre and width. From the start of the lecture the fit "
            "reaches the minimum in {good_steps} steps (χ²/s² = {good:.0f}). The others end in "
            "local minima, a dip beside the peak instead of the peak (χ²/s² = {right:.0f} and "
            "{left:.0f}). Without a start the library finds one itself."
        ),
        size=(9.5, 5.6),
    ),
    Picture(
        name="3-4-2-contours",
        section="3.4.2",
        title="Errors from the shape of χ²",
        draw=draw_contours,
        caption=(
            "Contours of χ² that hold {first:.0f} % and {second:.0f} % for each pair of the peak's "
            "parameters, and the profile of each, with the ellipses and parabolas of the "
            "covariance (dashed): they are apart by {away:.1f} % of the width of an ellipse at "
            "most."
        ),
        size=(9.0, 9.0),
    ),
    Picture(
        name="3-4-2-correlations",
        section="3.4.2",
        title="Correlations of the parameters",
        draw=draw_correlations,
        caption=(
            "The width goes with the constant ({width_constant:.2f}) and the height "
            "({width_height:.2f}); the centre, by symmetry, with none."
        ),
        size=(6.6, 4.4),
    ),
    Picture(
        name="3-4-3-peak",
        section="3.4.3",
        title="The peak",
        draw=draw_fit,
        caption=(
            "A Gaussian on a constant, {steps} steps from the start of the lecture. The parameters "
            "are within {pull:.1f} standard errors of the truth ({truth}); the residuals "
            "scatter by {scatter:.2f}, and tests of them find {suspects}."
        ),
        size=(9.0, 6.0),
    ),
)
