"""Arrays in, frozen solution out: the numerical core, which knows nothing of scikit-learn or pandas."""
