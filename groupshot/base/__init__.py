"""Base: one contract over diffusers — tokens, encode, noise, predict, decode."""

from groupshot.base.base import Base as Base
from groupshot.base.encoders import Encoder as Encoder
from groupshot.base.loading import fingerprint as fingerprint
from groupshot.base.loading import folder as folder
from groupshot.base.loading import quiet as quiet
from groupshot.base.loading import where as where
from groupshot.base.memory import lowered as lowered
from groupshot.base.memory import spared as spared
from groupshot.base.safety import is_withheld as is_withheld
from groupshot.base.timing import faster as faster
