# From SVO-Probes' records with logits to the file of decisions that the authors' notebook reads.
#
#   hnclip score --model ViT-B-16-SigLIP --pretrained webli --logits svo-probes.jsonl |
#       jq -s -f examples/svo_decisions.jq > decisions.json
[
  .[]
  | (.captions[0] | ascii_downcase | gsub(" +"; " ")) as $sentence
  | [.images, .scores] | transpose[]
  | {
      key: "\($sentence)|\(.[0] | capture("(?<id>\\d+)\\.\\w+$").id)",
      value: (if .[1][0] > 0 then 1 else 0 end)
    }
] | from_entries
