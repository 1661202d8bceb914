"""Generators of road scenes: DCGAN as DataGAN has it, with or without classes, and whether it memorises."""
