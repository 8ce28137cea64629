"""The studio: propagating, animating and annotating in the browser, on the user's own machine."""
