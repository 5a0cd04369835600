"""Fields of a record that mean something to a command. docs/fields.md is made from this table."""

FIELDS = {
    "id": "string, unique in a file; default: a hash of images and captions",
    "image": "path, member of a tar shard, or URL: see [images.md](images.md)",
    "caption": "the true caption",
    "negatives": 'false captions, `[{"caption", "kind", "edits"}, …]`; `edits` are `[start, '
    "end, replacement]` in characters of the true caption; `image` is an "
    "[image of the negative](images.md#images-of-negatives), if there is one",
    "negative_images": "images that are false for the caption",
    "group": "records of one group describe the same image; default: `image`",
    "images": "images of an item, in place of `image`",
    "captions": "captions of an item, in place of `caption`",
    "truth": "pairs `[image, caption]` of an item that are true, as indices from 0",
    "crops": "for each image `[left, top, width, height]` in pixels, or null: the part that the "
    "captions describe; it is cut out before preprocessing, and black beyond the image",
    "regions": '`[{"box": [left, top, width, height], "text", "role"}, …]` for '
    "[ComCLIP](score.md); for several images a list of such lists",
    "units": "things and relations of the caption, from `negatives --units`: "
    '`[{"text", "kind", "foil"}, …]`; `kind` is `entity` or `relation`, `foil` is the false '
    "version, if there is one",
    "words": "content words of the caption, from `negatives --units`: `[[start, end, class], …]`",
    "scores": "matrix of cosines: a row for each image, a column for each caption; with `caption` "
    "and `negatives`, the caption is the first column",
    "caption_scores": "matrix of cosines of the captions with each other",
    "same_tokens": "columns of false captions that have the same tokens as a true one",
    "run": "what scored the record: `model`, `weights` (a hash), `precision`, `scored_with`, and "
    "`method` or `logits` if not the default",
    "explain": "what decided between the caption and each negative: see [score.md](score.md)",
    "ordered": "true: each caption says more than the next, true ones first, as in "
    "[half-truths](data.md#half-truths-made-from-your-captions)",
    "prompts_per_class": "this many neighboring captions are prompts of one class",
    "frames_per_video": "this many neighboring images are frames of one video",
    "true_images": "for [retrieval](metrics.md#retrieval): the groups that the caption is true for",
    "true_captions": "for retrieval: the `id`s of the captions that are true for the image",
    "ranks": 'for retrieval: `{"image_to_text": […], "text_to_image": […]}`, ranks of the true '
    "candidates from 1",
    "benchmark": "name of the benchmark; it tells `eval` the official score",
    "subset": "part of the benchmark; a group for `eval --by`",
    "tags": "object of names and texts; each name is a group for `eval --by`",
}  # fmt: skip
