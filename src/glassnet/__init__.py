"""glassnet: a neural network you can see through.

import glassnet as gn

splits = gn.load_dataset("digits")
net = gn.Network([64, 30, 10], seed=1)
net.fit(splits.train, epochs=30, batch_size=10, optimizer=gn.SGD(3.0), validation=splits.validation, seed=1)
print(net.evaluate(splits.test))
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
