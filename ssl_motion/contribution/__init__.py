"""Results that are shared: records checked (`checks`) and put into a form for `reports/records` (`submit`)."""
