"""The grid detector: a ResNet that says of every cell whether an object covers it, and where that object's box is."""
