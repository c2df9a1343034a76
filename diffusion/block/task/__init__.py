"""The pipelines that people expect, each a few blocks around `Denoise`."""

from .around import Around
from .ask import Avoid, Classes, Seeds, Several, Spread
from .class_to_image import ClassToImage
from .control import Attach, Control, controlled
from .extend import Extend
from .image_to_image import ImageToImage
from .inpaint import Inpaint, Outpaint
from .keep import Keep
from .observed import Observed
from .picture import Mask, Read
from .regions import Regional, Regions, regional
from .scheduler import scheduled
from .start import Start, Strength
from .text_to_image import TextToImage
from .text_to_video import TextToVideo
from .upscale import Enlarge, Upscale

__all__ = [
    "Around", "Attach", "Avoid", "ClassToImage", "Classes", "Control", "Enlarge", "Extend",
    "ImageToImage", "Inpaint", "Keep", "Mask", "Observed", "Outpaint", "Read", "Regional",
    "Regions", "Seeds", "Several", "Spread", "Start", "Strength", "TextToImage", "TextToVideo",
    "Upscale", "controlled", "regional", "scheduled",
]  # fmt: skip
