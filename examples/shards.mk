# Negatives in parts, side by side; make leaves a part that is finished as it is:
#
#   make -j 8 -f examples/shards.mk SHARDS=8 INPUT=captions.jsonl OUTPUT=negatives.jsonl
#
# HNCLIP is how hnclip is called, as "python -m hnclip_cli". The result has the bytes of one process. FLAGS goes to hnclip negatives; after a change of FLAGS
# or SHARDS, name another OUTPUT.
INPUT ?= captions.jsonl
OUTPUT ?= negatives.jsonl
SHARDS ?= 2
FLAGS ?=
HNCLIP ?= hnclip
numbers := $(shell seq 0 $$(($(SHARDS) - 1)))
parts := $(addprefix $(OUTPUT).part-,$(numbers))

$(OUTPUT): $(parts)
	cat $(parts) > $@.joining
	mv $@.joining $@

$(OUTPUT).part-%: $(INPUT)
	$(HNCLIP) negatives --shard $*/$(SHARDS) $(FLAGS) -o $@ $(INPUT)

.SECONDARY: $(parts)
