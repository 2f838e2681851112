"""What the same thing looks like in the references: its light, carried to each cell of the plate.

What belongs here: finding a cell's counterpart and saying how far apart the two lie, in stops.
What does not: deciding how much of that to follow (`field_net.py`).

Shapes: B batch, C features, N cells of all references, h rows and w columns of the plate's cells.
Tensors only, as every net here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SHEET = 6  # of a cell: mean stops of R, G, B and the log2 of their spread
_SMALL = 8  # features compared, per head


class Carry(nn.Module):
    """Each cell asks which cells of the references show the same thing, and under what light.

    A classical transfer does this once for the whole frame (Reinhard et al. 2001); here it is
    attention whose values are not learned features but the references' own light, so that an
    answer is right under any light, and a null answer says that nothing alike is there.

    Args:
        channels: Features of a cell.
        heads: Ways in which cells may be alike.
    """

    def __init__(self, channels: int, *, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.small = _SMALL
        self.sheet = SHEET
        self.ask = nn.Conv2d(channels, heads * _SMALL, 1)
        self.key = nn.Conv2d(channels, heads * _SMALL, 1)
        # A camera on its stand finds a thing where it was: some heads start near, some far.
        self.reach = nn.Parameter(torch.linspace(3.0, 0.0, heads))
        self.null = nn.Parameter(torch.zeros(heads))

    def forward(
        self, x: Tensor, own: Tensor, there: Tensor, sheets: Tensor, count: int
    ) -> tuple[Tensor, Tensor]:
        """How far the plate's cells lie from their counterparts.

        Args:
            x: (B,C,h,w) features of the plate's cells.
            own: (B,6,h,w) their sheets.
            there: (B*R,C,h',w') features of the references' cells.
            sheets: (B*R,6,h',w') their sheets.
            count: R, at least 1.

        Returns:
            Differences of sheets (B,heads*6,h,w), and how sure each head is (B,heads,h,w).
        """
        batch, _, height, width = x.shape
        q = self.ask(x).view(batch, self.heads, self.small, height * width).transpose(2, 3)
        k = self.key(there).view(batch, count, self.heads, self.small, -1)
        k = k.permute(0, 2, 3, 1, 4).reshape(batch, self.heads, self.small, -1)
        far = _distances(height, width, there.shape[2], there.shape[3], x)
        far = far.repeat(1, count)  # (hw, N)
        # Bare parameters turn half with a model; older CPUs' kernels for it are few.
        reach = torch.exp(self.reach.to(x.dtype))[None, :, None, None]
        alike = torch.matmul(q, k) / float(self.small) ** 0.5 - reach * far
        null = self.null.to(x.dtype)[None, :, None, None].expand(
            batch, self.heads, height * width, 1
        )
        weights = torch.softmax(torch.cat([alike, null], 3), dim=3)[:, :, :, :-1]
        sure = weights.sum(3)  # (B,heads,hw)
        values = (
            sheets.view(batch, count, self.sheet, -1)
            .transpose(2, 3)
            .reshape(batch, 1, -1, self.sheet)
        )
        carried = torch.matmul(weights, values)  # (B,heads,hw,6), a share of `sure`
        mine = own.flatten(2).transpose(1, 2)[:, None]
        apart = carried - sure[:, :, :, None] * mine
        apart = apart.transpose(2, 3).reshape(batch, self.heads * self.sheet, height, width)
        return apart, sure.view(batch, self.heads, height, width)


def sheet(view: Tensor, cell_px: int) -> Tensor:
    """Mean and spread of the stops of each cell (B,6,h,w); sides are multiples of a cell."""
    rows, columns = view.shape[2] // cell_px, view.shape[3] // cell_px
    cells = view.reshape(view.shape[0], view.shape[1], rows, cell_px, columns, cell_px)
    mean = cells.mean((3, 5))
    # About the mean, not the mean of squares less its square: that loses most digits.
    off = cells - mean[:, :, :, None, :, None]
    spread = (off * off).mean((3, 5)) + 1e-2
    return torch.cat([mean, 0.5 * torch.log2(spread)], 1)


def _distances(
    rows: int, columns: int, rows_there: int, columns_there: int, like: Tensor
) -> Tensor:
    """Squared distances of cells by their places in their frames, -1..1 across (hw, h'w')."""
    y = (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) * (2.0 / rows)
    x = (torch.arange(columns, device=like.device, dtype=like.dtype) + 0.5) * (2.0 / columns)
    v = torch.arange(rows_there, device=like.device, dtype=like.dtype) + 0.5
    u = torch.arange(columns_there, device=like.device, dtype=like.dtype) + 0.5
    v, u = v * (2.0 / rows_there), u * (2.0 / columns_there)
    down = (y[:, None] - v[None, :]).square()
    across = (x[:, None] - u[None, :]).square()
    both = down[:, None, :, None] + across[None, :, None, :]
    return both.reshape(rows * columns, rows_there * columns_there)
