"""glassnet: a neural network you can see through.

import glassnet as gn

splits = gn.load_dataset("digits")
net = gn.Network([64, 30, 10], seed=1)
net.fit(splits.train, epochs=30, batch_size=10, optimizer=gn.SGD(3.0), validation=splits.validation, seed=1)
print(net.evaluate(splits.test))
"""

from typing import Any

import lazy_loader

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    try:
        return _find(name)
    except AttributeError:
        if name.startswith("__"):  # protocols of Python
            raise
        from glassnet.support.habits import unknown_attribute

        raise unknown_attribute("glassnet", name, __all__) from None
