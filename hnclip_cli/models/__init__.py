"""The only room that imports open_clip: load, save, encode text and images."""

from hnclip_cli.models.deferring import deferring

# Of these open_clip, and torchvision for it, use a few names for some models only. Imported with
# it they would take twice the time of torch.
with deferring("huggingface_hub", "timm", "torch._dynamo", "transformers"):
    import open_clip as open_clip
