"""A T5 of a few hundred numbers, made on the spot."""

import torch

WORDS = [
    *("<pad>", "</s>", "<unk>", "a", "red", "green", "blue", "yellow", "purple", "gray", "square"),
    *("circle", "number", "on", "white"),
]


def make_t5(folder):
    """Write it to a folder; gives the folder's name."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = T5Config(
            vocab_size=len(WORDS), d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2,
            decoder_start_token_id=0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        )  # fmt: skip
        T5ForConditionalGeneration(config).save_pretrained(folder)
    return str(folder)
