"""A small model saved once, and ViT-B-32 with random weights saved once."""

import open_clip
import pytest
import torch
from safetensors.torch import save_file


@pytest.fixture(scope="session")
def vit_b_32(tmp_path_factory):
    """A weights file of a randomly initialised ViT-B-32, in place of the pretrained ones."""
    torch.manual_seed(0)
    module = open_clip.create_model("ViT-B-32")
    path = tmp_path_factory.mktemp("weights") / "vit-b-32.safetensors"
    save_file(module.state_dict(), path)
    return str(path)
