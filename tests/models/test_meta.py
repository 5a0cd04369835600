import torch
import torch.nn.functional as F
from torch import nn

from hnclip_cli.models.device import autocast, autocast_dtype
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.meta import Meter, fused_attention, to_meta
from hnclip_cli.models.tuning import add_lora, lock

META = torch.device("meta")


def test_a_meter_counts_a_storage_once_and_until_it_is_freed():
    with Meter() as meter:
        first = torch.empty(1000, device=META)  # 4000 bytes, in blocks of 512
        view = first[:10]
        assert meter.alive == 4096
        second = first + 1
        assert meter.alive == 2 * 4096
        del first
        assert meter.alive == 2 * 4096  # the view holds it
        del view, second
    assert (meter.alive, meter.peak) == (0, 2 * 4096)


def test_a_meter_sees_what_autograd_keeps_and_the_gradients():
    weight = torch.empty(128, 128, device=META, requires_grad=True)
    with Meter() as meter:
        assert meter.count([weight]) == 4 * 128 * 128
        x = torch.empty(64, 128, device=META)
        loss = F.gelu(x @ weight).sum()
        kept = meter.alive
        loss.backward()
    assert kept == 4 * (128 * 128 + 2 * 64 * 128) + 512
    assert meter.alive == 4 * (2 * 128 * 128 + 64 * 128) + 512


def test_autocast_on_meta_casts_what_cuda_does_and_a_weight_once():
    norm, linear = nn.LayerNorm(8, device=META), nn.Linear(8, 8, device=META)
    x = torch.empty(4, 8, device=META)
    with autocast(META, torch.bfloat16), Meter() as meter:
        assert autocast_dtype(META) == torch.bfloat16
        half = linear(x)
        assert half.dtype == torch.bfloat16
        assert norm(half).dtype == torch.float32
        assert (half @ half.T).dtype == torch.bfloat16
        before = meter.peak
        linear(half)
    assert meter.peak - before <= 512  # the output; no second copy of the weight
    assert autocast_dtype(META) is None
    with autocast(META, None):
        assert linear(x).dtype == torch.float32
    with autocast(torch.device("cpu"), None):
        assert autocast_dtype(torch.device("cpu")) is None


def test_attention_inside_of_a_layer_is_cast_and_writes_no_weights():
    layer = nn.MultiheadAttention(32, 2, batch_first=True, device=META)
    x = torch.empty(1, 2048, 32, device=META, requires_grad=True)
    with fused_attention(), autocast(META, torch.bfloat16), Meter() as meter:
        output, _ = layer(x, x, x, need_weights=False)
        output.sum().backward()
    assert output.dtype == torch.bfloat16
    assert meter.peak < 2048 * 2048


def test_a_module_on_meta_trains_what_the_module_trains():
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    lock(clip.module, "image")
    add_lora(clip.module, 2)
    copied = to_meta(clip.module)
    shapes = [
        {name: (p.shape, p.requires_grad) for name, p in module.named_parameters()}
        for module in (clip.module, copied)
    ]
    assert shapes[0] == shapes[1]
    assert all(value.is_meta for value in copied.state_dict().values())
    assert not any(value.is_meta for value in clip.module.state_dict().values())
