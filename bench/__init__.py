"""How fast, how small: tables of figures and ratios, each from one run. They judge nothing."""
