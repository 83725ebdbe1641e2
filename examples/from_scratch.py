"""Nielsen's network in NumPy alone: forward pass, backpropagation, stochastic gradient descent.

    python examples/from_scratch.py

trains 64-30-10 on scikit-learn's 1,797 scanned digits. A layer is a pair of a weight matrix W (inputs, outputs) and a bias b
(outputs,); a mini-batch x has a row for each image. Each function names the file in which glassnet does the same.
Source: Nielsen, Neural Networks and Deep Learning, chapters 1 and 2; BP1 to BP4 are his equations.
"""

from itertools import pairwise

import numpy as np


def initialize(sizes, rng):
    """Weights and biases drawn from N(0, 1): glassnet/nn/initializers.py."""
    return [(rng.standard_normal((n, m)), rng.standard_normal(m)) for n, m in pairwise(sizes)]


def sigmoid(z):
    """1 / (1 + exp(-z)), without overflow: glassnet/nn/activations.py."""
    return np.exp(-np.logaddexp(0, -z))


def forward(layers, x):
    """The input and the activations a = sigmoid(x W + b) of each layer: glassnet/nn/dense.py."""
    activations = [x]
    for W, b in layers:
        activations.append(sigmoid(activations[-1] @ W + b))
    return activations


def backward(layers, activations, y):
    """Gradients (dW, db) of the mean loss ||a - y||^2 / 2 of a mini-batch, layer by layer: glassnet/nn/chain.py."""
    gradients = []
    a = activations[-1]
    delta = (a - y) * a * (1 - a)  # BP1
    for number in reversed(range(len(layers))):
        x, W = activations[number], layers[number][0]
        gradients.insert(0, (x.T @ delta / len(x), delta.mean(axis=0)))  # BP4, BP3
        delta = (delta @ W.T) * x * (1 - x)  # BP2; not used after the first layer
    return gradients


def train_epoch(layers, images, targets, order, batch_size, learning_rate):
    """An SGD step per mini-batch, w <- w - learning_rate * gradient: glassnet/training/loop.py, glassnet/nn/optimizers.py."""
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        gradients = backward(layers, forward(layers, images[batch]), targets[batch])
        for (W, b), (dW, db) in zip(layers, gradients, strict=True):
            W -= learning_rate * dW
            b -= learning_rate * db


def main(epochs=30, batch_size=10, learning_rate=3.0, seed=0):
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    pixels, labels = load_digits(return_X_y=True)
    images, targets = pixels / 16, np.eye(10)[labels]
    order = rng.permutation(len(images))
    training, validation = order[300:], order[:300]
    layers = initialize([64, 30, 10], rng)
    for epoch in range(1, epochs + 1):
        train_epoch(layers, images, targets, rng.permutation(training), batch_size, learning_rate)
        correct = (forward(layers, images[validation])[-1].argmax(axis=1) == labels[validation]).sum()
        print(f"Epoch {epoch}: {correct} / {len(validation)}")


if __name__ == "__main__":
    main()
