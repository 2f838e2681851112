"""The network of filling: a U-Net that says where light in a hole goes from here.

Known, carried and half-made pixels come in at full size and are folded two by two; four stages
see ever further; at the deepest every place looks at every other, and at the references. What
comes out is a change of stops, and whether it is for the better. Untrained it is none.

Shapes: B batch, C channels, H and W of the picture, N tokens of references.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.models.nets.blocks import Turned

CELL_PX = 16  # the deepest stage sees one value for so many pixels
SEEN = 10  # channels that a picture is shown as: state 3, guess 3, confidence, mask, lens 2
_CODE = 64
_TOKEN = 96
_HEADS = 4
_WAVES = (1.0, 2.0, 4.0, 8.0)


class FillNet(nn.Module):
    """Predicts how far the guess lies from the truth, in stops.

    Args:
        width: Channels of the first stage, in eights.
        vector_size: Numbers that say what was measured of the show.
    """

    def __init__(self, *, width: int, vector_size: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 3 * width, 3 * width]
        self.stem = nn.Conv2d(4 * SEEN, width, 3, padding=1)
        self.stages = _Stage(widths)
        self.out = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # pyright: ignore[reportArgumentType]
        self.trust = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.zeros_(self.trust.weight)
        nn.init.zeros_(self.trust.bias)  # pyright: ignore[reportArgumentType]
        self.clock = nn.Sequential(
            nn.Linear(2 * len(_WAVES) + 1, _CODE), nn.SiLU(), nn.Linear(_CODE, _CODE)
        )
        self.measured = nn.Linear(vector_size, _CODE)  # bases are taught where nothing is measured
        nn.init.zeros_(self.measured.weight)
        nn.init.zeros_(self.measured.bias)
        self.reader = _Reader()

    def tokens(self, reference: Tensor) -> Tensor:
        """References as tokens (B,N,C).

        Args:
            reference: (B,R,3,h,w) about their mean, sides in cells of 16; R may be 0.
        """
        count, each = int(reference.shape[0]), int(reference.shape[1])
        if each == 0:
            return reference.new_zeros(count, 0, _TOKEN)
        return self.reader(reference.flatten(0, 1)).reshape(count, -1, _TOKEN)

    def forward(
        self, seen: Tensor, t: Tensor, level: Tensor, vector: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The change (B,3,H,W), and the odds (B,1,H,W), as a logit, that it is for the better.

        Args:
            seen: (B,10,H,W), sides in cells of 16.
            t: (B,) how much of the state is truth, 0 to 1.
            level: (B,) stops of the picture's mean over grey.
            vector: (B,D).
            tokens: (B,N,C) of the references.
        """
        waves = torch.stack([t * w for w in _WAVES], 1)
        time = torch.cat([torch.sin(waves), torch.cos(waves), 0.1 * level[:, None]], 1)
        code = F.silu(self.clock(time) + self.measured(vector))
        x = self.stem(F.pixel_unshuffle(seen, 2))
        x = self.stages(x, code, tokens)
        x = F.silu(x)
        return F.pixel_shuffle(self.out(x), 2), F.pixel_shuffle(self.trust(x), 2)


class _Stage(nn.Module):
    """One size of the picture; whatever is smaller lies inside it.

    Args:
        widths: Channels of this stage and of those inside.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        own, next_ = widths[0], widths[1]
        self.before = Turned(own, _CODE)
        self.down = nn.Conv2d(own, next_, 3, stride=2, padding=1)
        self.inside: nn.Module = _Stage(widths[1:]) if len(widths) > 2 else _Deepest(next_)
        self.up = nn.Conv2d(next_ + own, own, 1)
        self.after = Turned(own, _CODE)

    def forward(self, x: Tensor, code: Tensor, tokens: Tensor) -> Tensor:
        x = self.before(x, code)
        deep = self.inside(self.down(F.silu(x)), code, tokens)
        wide = F.interpolate(deep, size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.after(self.up(torch.cat([wide, x], 1)), code)


class _Deepest(nn.Module):
    """Every place looks at every other and at the references (Vaswani et al. 2017, eq. 1).

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = Turned(width, _CODE)
        self.settle = nn.GroupNorm(8, width)
        self.ask = nn.Conv2d(width, _TOKEN, 1)
        self.show = nn.Conv2d(width, _TOKEN, 1)
        self.offer = nn.Linear(_TOKEN, 2 * _TOKEN)
        self.take = nn.Conv2d(_TOKEN, width, 1)
        nn.init.zeros_(self.take.weight)
        nn.init.zeros_(self.take.bias)  # pyright: ignore[reportArgumentType]
        self.after = Turned(width, _CODE)

    def forward(self, x: Tensor, code: Tensor, tokens: Tensor) -> Tensor:
        x = self.before(x, code)
        calm = self.settle(x)
        own = self.show(calm).flatten(2).transpose(1, 2)
        key, value = self.offer(torch.cat([own, tokens], 1)).chunk(2, 2)
        query = self.ask(calm).flatten(2).transpose(1, 2)
        told = F.scaled_dot_product_attention(_heads(query), _heads(key), _heads(value))
        told = told.transpose(2, 3).reshape(x.shape[0], -1, x.shape[2], x.shape[3])
        return self.after(x + self.take(told), code)


class _Reader(nn.Module):
    """Reads pictures that the plate sits beside, a token for every 16 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * 16, _TOKEN // 2, 3, padding=1)
        self.down = nn.Conv2d(_TOKEN // 2, _TOKEN, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(_TOKEN, _TOKEN, 3, stride=2, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        x = F.silu(self.stem(F.pixel_unshuffle(picture, 4)))
        return self.deep(F.silu(self.down(x))).flatten(2).transpose(1, 2)


def _heads(tokens: Tensor, heads: int = _HEADS) -> Tensor:
    """(B,N,C) as (B,heads,N,C/heads)."""
    return tokens.unflatten(2, (heads, -1)).transpose(1, 2)
