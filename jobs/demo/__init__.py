"""The studio's own tiny models: the world they know, the text, the training and the measuring."""
