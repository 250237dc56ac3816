"""Measurements that ask for a nonlinear model."""

from sklsq.datasets.dataset import Dataset, read_table

__all__ = ["load_dnase", "load_gaussian_peak", "load_puromycin"]


def load_puromycin() -> Dataset:
    """Load rates of an enzyme reaction, for enzyme treated and not treated with puromycin.

    Each group follows the Michaelis-Menten law, ``rate = v_max * c / (k + c)``.

    Returns
    -------
    Dataset
        23 rows: ``state`` (``"treated"`` or ``"untreated"``), ``concentration`` of the substrate
        (ppm) and ``rate`` (counts/min²).

    References
    ----------
    Treloar, M. A. (1974), M.Sc. thesis, University of Toronto.
    Bates, D. M. and Watts, D. G. (1988), Nonlinear Regression Analysis and Its Applications,
    Wiley, appendix A1.3.

    Examples
    --------
    >>> from sklsq.datasets import load_puromycin
    >>> load_puromycin().frame.groupby("state").size().to_dict()
    {'treated': 12, 'untreated': 11}
    """
    return Dataset(
        frame=read_table("puromycin"),
        x=["concentration"],
        y="rate",
        description="Rate of an enzyme reaction against the concentration of the substrate.",
        source="Treloar (1974), Bates and Watts (1988); numbers from Puromycin of R 4.2.2",
        units={"state": "1", "concentration": "ppm", "rate": "counts/min²"},
    )


def load_dnase() -> Dataset:
    """Load an assay of a protein, eleven runs of eight concentrations measured twice.

    Each run follows a logistic curve in the logarithm of the concentration.

    Returns
    -------
    Dataset
        176 rows: ``run``, ``concentration`` (known, in the unit of the source, which R does not
        name) and ``density`` (optical density, without unit).

    References
    ----------
    Davidian, M. and Giltinan, D. M. (1995), Nonlinear Models for Repeated Measurement Data,
    Chapman & Hall, section 5.2.4.

    Examples
    --------
    >>> from sklsq.datasets import load_dnase
    >>> load_dnase().frame["run"].nunique()
    11
    """
    return Dataset(
        frame=read_table("dnase"),
        x=["concentration"],
        y="density",
        description="Optical density against the concentration of the protein DNase, eleven runs.",
        source="Davidian and Giltinan (1995); numbers from DNase of R 4.2.2",
        units={"run": "1", "concentration": "as tabulated", "density": "1"},
    )


def load_gaussian_peak() -> Dataset:
    """Load a simulated Gaussian peak on a constant, whose true parameters are known.

    The only data set here that was not measured: ``0.5 + 10 exp(-((x - 4.5) / 1)²)`` with random
    noise added, the same for all points.

    Returns
    -------
    Dataset
        41 rows: ``x`` and ``y``, without units.

    References
    ----------
    Drawn for sklsq with GNU Octave 7.3.

    Examples
    --------
    >>> from sklsq.datasets import load_gaussian_peak
    >>> peak = load_gaussian_peak()
    >>> float(peak.frame.loc[peak.y_values.idxmax(), "x"])
    4.5
    """
    return Dataset(
        frame=read_table("gaussian_peak"),
        x=["x"],
        y="y",
        description="Simulated: 0.5 + 10 exp(-((x - 4.5) / 1)²) and noise.",
        source="Drawn for sklsq with GNU Octave 7.3; not a measurement",
        units={"x": "1", "y": "1"},
    )
