"""Arrays in, frozen solution out: the numerical core, which knows no scikit-learn or pandas."""
