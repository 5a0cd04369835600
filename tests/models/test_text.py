"""Text without its padding is exact, in values and gradients, or not done."""

import open_clip
import pytest
import torch
from open_clip import tokenizer as open_clip_tokenizer

from hnclip_cli.models import blocks, text
from hnclip_cli.models.text import encode_text

CONTEXT = 20
VOCABULARY = 300
START, END = 298, 299
VISION = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
TEXT = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 32, "heads": 2, "layers": 3}

# Everything that open_clip's configurations can turn on in a text tower.
OPTIONS = {
    "plain": {},
    "end token by its id": {"pool_type": "eos", "eos_id": END},
    "first": {"pool_type": "first"},
    "layer scale": {"ls_init_value": 0.3},
    "projection with bias": {"proj_bias": True},
    "no projection": {"proj_type": "none"},
    "no bias in norms": {"norm_kwargs": {"bias": False, "eps": 1e-6}},
    "tanh": {"act_kwargs": {"approximate": "tanh"}},
    "custom block": {"block_type": "custom"},
    "norm of queries and keys": {"qk_norm": True},
    "NormFormer": {"scale_heads": True, "scale_attn": True, "scale_fc": True},
    "inner norm": {"scale_attn_inner": True},
}
COCA = {"embed_cls": True, "output_tokens": True}
WHOLE = (
    {"no_causal_mask": True},
    {"pool_type": "last"},
    {"no_causal_mask": True, "pool_type": "last"},
)


def clip(quick_gelu=False, **options):
    return open_clip.CLIP(16, VISION, TEXT | options, quick_gelu=quick_gelu)


def custom(**options):
    return open_clip.CustomTextCLIP(16, VISION, TEXT | options)


def coca(**options):
    multimodal = {"width": 32, "heads": 2, "layers": 1, "context_length": CONTEXT}
    vision = VISION | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
    return open_clip.CoCa(16, multimodal, TEXT | COCA | options, vision)


def build(make, **options):
    """A model of random weights, biases too."""
    torch.manual_seed(0)
    module = make(**options)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


def texts(*, full=True):
    """Token ids: shared prefixes, repetitions, id 0 inside, the shortest, and a full one."""
    bodies = [[5, 6, 7], [5, 6], [5, 6, 7], [], [5, 0, 9], [0, 0, 3], [5, 6, 8, 1, 2], [4]]
    bodies += [list(range(10, 10 + CONTEXT - 2))] * full
    rows = [[START, *body, END] for body in bodies]
    return torch.tensor([row + [0] * (CONTEXT - len(row)) for row in rows])


def gradients(module, features):
    parameters = {
        name: parameter
        for name, parameter in module.named_parameters()
        if "visual" not in name and "decoder" not in name and parameter.ndim
    }
    weights = torch.linspace(-1, 2, features.numel(), dtype=features.dtype).view_as(features)
    found = torch.autograd.grad((features * weights).sum(), parameters.values(), allow_unused=True)
    return dict(zip(parameters, found, strict=True))


def relative(mine, other):
    return (mine - other).norm() / other.norm().clamp_min(1e-30)


def assert_same(module, tokens, bound):
    ours, theirs = encode_text(module, tokens), module.encode_text(tokens, normalize=False)
    assert ours.shape == theirs.shape
    assert relative(ours, theirs) <= bound
    expected = gradients(module, theirs)
    largest = max(gradient.norm() for gradient in expected.values() if gradient is not None)
    for name, gradient in gradients(module, ours).items():
        if expected[name] is None:
            assert gradient is None, name
        else:  # some, such as that of a key's bias, are zero but for rounding
            assert (gradient - expected[name]).norm() <= bound * max(
                expected[name].norm(), 1e-3 * largest
            ), name


@pytest.mark.parametrize("precision", [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("make", [clip, custom])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_causal_towers_give_open_clips_values_and_gradients(make, options, precision):
    dtype, bound = precision
    assert_same(build(make, **options).to(dtype), texts(), bound)


def test_quick_gelu_is_kept():
    module = build(clip, quick_gelu=True)
    assert type(module.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert_same(module, texts(), 1e-9)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("correct_mask", [True, False])
@pytest.mark.parametrize("block", ["default", "custom"])
def test_the_class_embedding_of_coca_sees_what_it_sees_in_open_clip(full, correct_mask, block):
    module = build(coca, block_type=block)
    module.text.correct_cls_mask = correct_mask
    assert_same(module, texts(full=full), 1e-9)
    assert_same(module.float(), texts(full=full), 1e-5)


@pytest.mark.parametrize("make", [clip, custom])
@pytest.mark.parametrize("options", WHOLE, ids=str)
def test_towers_for_which_it_is_not_exact_are_run_as_they_are(make, options):
    module = build(make, **options)
    assert torch.equal(encode_text(module, texts()), module.encode_text(texts()))


def test_siglip_is_run_as_it_is():
    config = open_clip.get_model_config("ViT-B-16-SigLIP")["text_cfg"]
    kept = ("no_causal_mask", "pool_type", "proj_bias", "act_kwargs", "norm_kwargs")
    module = build(custom, **{key: config[key] for key in kept if key in config})
    assert torch.equal(encode_text(module, texts()), module.encode_text(texts()))


class HuggingFaceTower(torch.nn.Module):
    """What open_clip's HFTextEncoder shows of itself, around a tower that sees its padding."""

    def __init__(self):
        super().__init__()
        self.transformer = torch.nn.Embedding(VOCABULARY, 16)
        self.pooler = torch.nn.Identity()

    def forward(self, tokens):
        return self.pooler(self.transformer(tokens)).sum(dim=1)


def test_hugging_face_towers_are_run_as_they_are():
    module = build(custom)
    module.text = HuggingFaceTower().double()
    assert torch.equal(encode_text(module, texts()), module.encode_text(texts()))


def lay_out(monkeypatch, *layout, **options):
    """Have texts laid out as on a GPU."""
    chosen = text.Layout(*layout, **options)
    monkeypatch.setattr(text, "layout_for", lambda *args, **options: chosen)


@pytest.mark.parametrize("tree_size", [1, 3, None])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("make", [clip, coca])
def test_groups_of_unequal_length_as_on_a_gpu_change_nothing(monkeypatch, make, groups, tree_size):
    lay_out(monkeypatch, "groups", tree_size, groups)
    assert_same(build(make), texts(), 1e-9)


@pytest.mark.parametrize("tree_size", [1, 2, 3, 100])
def test_trees_of_texts_as_on_a_gpu_change_nothing(monkeypatch, tree_size):
    pytest.importorskip("triton")
    from hnclip_cli.models import tree_attention

    lay_out(monkeypatch, "trees", tree_size)
    monkeypatch.setattr(tree_attention, "tree_attention", tree_attention.plain_attention)
    assert_same(build(clip), texts(), 1e-9)


@pytest.mark.parametrize("fastest", [text.TREES_LAYOUT, text.GROUPS_LAYOUT])
@pytest.mark.parametrize("locked", [False, True])
def test_the_layout_that_takes_the_least_time_is_chosen(monkeypatch, fastest, locked):
    lay_out(monkeypatch, *text.TREES_LAYOUT)
    module, tried = build(clip).requires_grad_(not locked), []

    def encode(module, tokens, layout):
        tried.append(layout)
        return module.encode_text(tokens)

    def seconds(run, device):
        run()
        return 1.0 if tried[-1] == fastest else 2.0

    monkeypatch.setattr(text, "encode_text", encode)
    monkeypatch.setattr(text, "seconds_of", seconds)
    assert text.fastest_layout(module, texts()) == fastest
    assert tried == [text.TREES_LAYOUT, text.GROUPS_LAYOUT]
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_layout_that_was_chosen_is_taken(monkeypatch):
    module, seen, attend = build(clip), [], text.attend_groups

    def counted(*args, groups, **options):
        seen.append(len(groups))
        return attend(*args, groups=groups, **options)

    monkeypatch.setattr(text, "attend_groups", counted)
    expected = encode_text(module, texts())
    found = encode_text(module, texts(), text.Layout("groups", max_groups=1))
    torch.testing.assert_close(found, expected)
    assert seen[0] > 1 and seen[-1] == 1


def test_where_one_layout_works_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(text, "seconds_of", None)
    assert text.fastest_layout(build(clip), texts()) == text.CPU_LAYOUT
    assert text.fastest_layout(build(clip), texts()[:0]) == text.CPU_LAYOUT


@pytest.mark.parametrize("bucket_size", [1, 2, 32])
def test_buckets_of_towers_that_are_not_packed_change_nothing(monkeypatch, bucket_size):
    monkeypatch.setattr(text, "BUCKET_SIZE", bucket_size)
    monkeypatch.setattr(text, "can_run", lambda transformer: False)
    assert_same(build(clip), texts(), 1e-9)
    assert_same(build(custom, pool_type="eos", eos_id=END), texts(), 1e-9)


def test_gradient_checkpointing_changes_nothing():
    module = build(clip)
    expected = gradients(module, encode_text(module, texts()))
    module.set_grad_checkpointing()
    seen = []
    module.transformer.resblocks[0].ln_1.register_forward_hook(lambda *args: seen.append(1))
    found = gradients(module, encode_text(module, texts()))
    assert len(seen) == 2  # once more for the backward pass
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_what_it_gives_open_clip(dtype):
    module = build(clip).float()
    with torch.autocast("cpu", dtype):
        ours, theirs = encode_text(module, texts()), module.encode_text(texts())
    assert ours.dtype == theirs.dtype
    assert relative(ours.float(), theirs.float()) <= 4 * torch.finfo(dtype).eps


def rows_seen(module, tokens):
    """Rows that each block's first norm and MLP compute."""
    seen = []
    for block in module.transformer.resblocks:
        for layer in (block.ln_1, block.mlp):
            layer.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    encode_text(module, tokens)
    return seen


def test_each_distinct_prefix_is_computed_once_and_only_the_ends_to_the_last():
    tokens = texts(full=False)[:4]  # start 5 6 7 end, start 5 6 end, the first again, start end
    assert rows_seen(build(clip), tokens) == [7, 7, 7, 7, 7, 4]


def hooked(module):
    module.transformer.resblocks[1].attn.register_forward_hook(lambda *args: None)


def with_dropout(module):
    module.train().transformer.resblocks[1].attn.dropout = 0.5


def with_key_bias(module):
    attention = torch.nn.MultiheadAttention(32, 2, add_bias_kv=True, batch_first=True)
    module.transformer.resblocks[1].attn = attention.double()


@pytest.mark.parametrize("change", [hooked, with_dropout, with_key_bias])
def test_blocks_that_were_changed_are_run_by_open_clip(change):
    module = build(clip)
    assert blocks.can_run(module.transformer)
    change(module)
    assert not blocks.can_run(module.transformer)


def test_parametrized_weights_are_seen():
    module = build(clip)
    attention = module.transformer.resblocks[1].attn
    plain = encode_text(module, texts())

    class Doubled(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    torch.nn.utils.parametrize.register_parametrization(attention, "in_proj_weight", Doubled())
    assert blocks.can_run(module.transformer)
    assert not torch.allclose(encode_text(module, texts()), plain)
    assert_same(module, texts(), 1e-9)


def test_no_texts_give_no_rows():
    assert encode_text(build(clip), texts()[:0]).shape == (0, 16)


def test_every_causal_clip_of_open_clip_is_packed():
    """The configurations that open_clip ships: which towers are packed, by what they say."""
    for name in ("ViT-B-32", "ViT-L-14", "RN50", "coca_ViT-B-32", "convnext_base"):
        config = open_clip.get_model_config(name)["text_cfg"]
        small = {key: config[key] for key in config.keys() - {"hf_model_name", *TEXT}}
        module = build(coca if "coca" in name else custom, **small)
        tower = text.causal_tower(module)
        assert tower is not None and blocks.can_run(tower.module.transformer), name


def test_real_captions_share_prefixes():
    tokens = open_clip_tokenizer.tokenize(["a cat", "a black cat", "a black dog", "two"])
    torch.manual_seed(0)
    config = TEXT | {"context_length": 77, "vocab_size": 49408}
    module = open_clip.CLIP(16, VISION, config).double().eval()
    assert_same(module, tokens, 1e-9)
