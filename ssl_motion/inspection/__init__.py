"""Looking into networks: what they make of images, which pixels they take for alike, what their units respond to."""
