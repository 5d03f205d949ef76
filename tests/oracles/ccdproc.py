"""Combination as ccdproc 2.5.1 does it, one pixel at a time, in float64: what it defines and where it goes astray.

Samples come with a mask (true: not to be used). Where it departs from ours:

* `sigma_clip` clips once, about the mean, in population standard deviations, and masked samples take part in both;
* `extrema` counts masked samples among the extremes;
* `weighted_mean` divides by the weights of all samples, masked ones too;
* `mean_error` is a population standard deviation over the root of n, too small by the root of (n - 1) / n;
* `median_error` lacks the factor by which a median is noisier than a mean;
* the input's own uncertainties count for nothing, and clipping comes before scaling.
"""

import math

import numpy as np


def sigma_clip(samples, masked=None, low=3.0, high=3.0):
    """Give the samples that stay, as truths."""
    x = np.asarray(samples, float)
    mean, width = x.mean(), x.std()
    far = (x - mean < -low * width) | (x - mean > high * width)
    return ~far if masked is None else ~(far | masked)


def extrema(samples, masked, nlow, nhigh):
    """Give the samples that stay, as truths."""
    order = np.argsort(samples, kind="stable")
    keep = ~np.asarray(masked)
    keep[order[:nlow]] = False
    keep[order[len(order) - nhigh :]] = False
    return keep


def weighted_mean(samples, masked, weights):
    x, w = np.asarray(samples, float), np.asarray(weights, float)
    return float((x * w)[~np.asarray(masked)].sum() / w.sum())


def mean_error(samples):
    return float(np.std(samples) / math.sqrt(len(samples)))


def median_error(samples):
    x = np.asarray(samples, float)
    return float(1.482602218505602 * np.median(np.abs(x - np.median(x))) / math.sqrt(len(x)))
