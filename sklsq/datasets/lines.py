"""Measurements through which a straight line is drawn."""

from sklsq.datasets.dataset import Dataset, read_table

__all__ = [
    "load_norris",
    "load_pearson_york",
    "load_pion_minus",
    "load_pion_plus",
    "load_sea_level",
]

_PION_SOURCE = (
    "Weisberg, H., Beier, H., Brody, H., Patton, R., Raychaudhari, K., Takeda, H., Thern, R. and "
    "Van Berg, R. (1978), Phys. Rev. D 17, 2875-2887, as tabulated by Weisberg, S. (2005), Applied "
    "Linear Regression, 3rd ed., section 5.1.1; numbers from the R packages alr3 2.0.8 and alr4"
)
_PION_UNITS = {"inverse_energy": "1/GeV", "cross_section": "as tabulated", "sigma": "as tabulated"}


def load_sea_level() -> Dataset:
    """Load the yearly global mean sea level, 1880 to 2013, with one sigma for each year.

    A reconstruction from tide gauges; sigma falls from 24 mm, when there were few of them, to
    6 mm. A straight line is a fair first description of it. The yearly errors are correlated and
    the rise accelerates, so that the residuals of the line are not random and its errors, which
    assume independent years, are too small: the source gives 1.7 ± 0.2 mm/year for 1900 to 2009.

    Returns
    -------
    Dataset
        134 rows: ``year`` (middle of the calendar year), ``level`` (mm, zero in 1990) and
        ``sigma`` (mm, one standard deviation).

    References
    ----------
    Church, J. A. and White, N. J. (2011), Sea-level rise from the late 19th to the early 21st
    century, Surveys in Geophysics 32, 585-602, doi:10.1007/s10712-011-9119-1.

    Examples
    --------
    >>> from sklsq.datasets import load_sea_level
    >>> load_sea_level().frame.head(3)
         year  level  sigma
    0  1880.5 -158.7   24.2
    1  1881.5 -153.1   24.2
    2  1882.5 -169.9   23.0
    """
    return Dataset(
        frame=read_table("sea_level"),
        x=["year"],
        y="level",
        sigma="sigma",
        description="Yearly global mean sea level reconstructed from tide gauges, 1880 to 2013.",
        source=(
            "Church and White (2011), doi:10.1007/s10712-011-9119-1, CSIRO file "
            "CSIRO_Recons_gmsl_yr_2015 as stored in github.com/datasets/sea-level-rise @ 46079747; "
            "every sigma, and the levels to 1989, agree with the table of the US EPA (2015)"
        ),
        units={"year": "year", "level": "mm", "sigma": "mm"},
    )


def load_pion_minus() -> Dataset:
    """Load cross sections of negative pions on protons, where a straight line is adequate.

    The cross section is expected to be linear in the inverse of the energy in the centre of mass.

    Returns
    -------
    Dataset
        10 rows: ``inverse_energy`` (1/GeV), ``cross_section`` and ``sigma`` (one standard
        deviation, in the unit of the cross section, which the tables do not name).

    References
    ----------
    Weisberg, H. et al. (1978), Phys. Rev. D 17, 2875-2887.

    Examples
    --------
    >>> from sklsq.datasets import load_pion_minus
    >>> load_pion_minus().frame.head(3)
       inverse_energy  cross_section  sigma
    0           0.345            284     13
    1           0.287            288      9
    2           0.251            304      9
    """
    return Dataset(
        frame=read_table("pion_minus"),
        x=["inverse_energy"],
        y="cross_section",
        sigma="sigma",
        description="Cross section of negative pions on protons against inverse energy.",
        source=_PION_SOURCE,
        units=_PION_UNITS,
    )


def load_pion_plus() -> Dataset:
    """Load cross sections of positive pions on protons, where a straight line is not enough.

    The errors are known from the experiment, so that χ² can reject the line (22 for 8 degrees of
    freedom) and accept the parabola (3.2 for 7).

    Returns
    -------
    Dataset
        10 rows: ``inverse_energy`` (1/GeV), ``cross_section`` and ``sigma`` (one standard
        deviation, in the unit of the cross section, which the tables do not name).

    References
    ----------
    Weisberg, H. et al. (1978), Phys. Rev. D 17, 2875-2887.

    Examples
    --------
    >>> from sklsq.datasets import load_pion_plus
    >>> load_pion_plus().frame.head(3)
       inverse_energy  cross_section  sigma
    0           0.345            367     17
    1           0.287            311      9
    2           0.251            295      9
    """
    return Dataset(
        frame=read_table("pion_plus"),
        x=["inverse_energy"],
        y="cross_section",
        sigma="sigma",
        description="Cross section of positive pions on protons against inverse energy.",
        source=f"{_PION_SOURCE}; also github.com/MSLNZ/GTC, test7wls, from Faraway (2002)",
        units=_PION_UNITS,
    )


def load_pearson_york() -> Dataset:
    """Load Pearson's ten points with York's errors in both coordinates.

    The standard test of a straight line with errors in x and y. York gave weights; ``sigma_x`` and
    ``sigma_y`` are one over their square root. They span two orders of magnitude, and not in step.

    Returns
    -------
    Dataset
        10 rows: ``x``, ``y``, ``sigma_x`` and ``sigma_y`` (standard deviations), without units.

    References
    ----------
    Pearson, K. (1901), Philosophical Magazine 2, 559-572.
    York, D. (1966), Canadian Journal of Physics 44, 1079-1086.

    Examples
    --------
    >>> from sklsq.datasets import load_pearson_york
    >>> load_pearson_york().frame.round(3).head(3)
         x    y  sigma_x  sigma_y
    0  0.0  5.9    0.032    1.000
    1  0.9  5.4    0.032    0.745
    2  1.8  4.4    0.045    0.500
    """
    table = read_table("pearson_york")
    return Dataset(
        frame=table[["x", "y"]].assign(
            sigma_x=table["weight_x"] ** -0.5, sigma_y=table["weight_y"] ** -0.5
        ),
        x=["x"],
        y="y",
        sigma="sigma_y",
        sigma_x="sigma_x",
        description="Pearson's ten points with the weights of York.",
        source=(
            "Pearson (1901) and York (1966); numbers from the documentation of "
            "github.com/kapteyn-astro/kapteyn, the same in the R package bfsl"
        ),
        units=dict.fromkeys(("x", "y", "sigma_x", "sigma_y"), "1"),
    )


def load_norris() -> Dataset:
    """Load the calibration of an ozone monitor, a NIST reference problem.

    A straight line of slope close to one, without stated errors. The certified answer is
    -0.262323073774029 ± 0.232818234301152 and 1.00211681802045 ± 0.000429796848199937.

    Returns
    -------
    Dataset
        36 rows: ``x`` and ``y``, two readings of the same ozone concentrations.

    References
    ----------
    Norris, J., NIST, Calibration of Ozone Monitors; NIST Statistical Reference Datasets.

    Examples
    --------
    >>> from sklsq.datasets import load_norris
    >>> load_norris().frame.head(3)
           x      y
    0    0.2    0.1
    1  337.4  338.8
    2  118.2  118.1
    """
    return Dataset(
        frame=read_table("norris"),
        x=["x"],
        y="y",
        description="Calibration of an ozone monitor.",
        source=(
            "NIST Statistical Reference Datasets, Norris.dat, as stored in "
            "github.com/joshday/NISTStatisticalReferenceData.jl @ bc272de"
        ),
        units={"x": "as tabulated", "y": "as tabulated"},
    )
