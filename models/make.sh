#!/usr/bin/env bash
# How each embedded model was made: train, export as fp16 with its card, measure
# the exported bytes on the test split and write the figures into the card.
#
#   bash models/make.sh SEGD DATA OUT [NAME...]
#
# SEGD is the binary, DATA the folder with the data sets that the cards name, OUT
# receives NAME.train (the output of segd train) and NAME (the model). The steps were
# chosen with the command without `--val 0`, where a fifth of the groups validates;
# the shipped weights are then trained on all images of train (ADR 17). Besides the
# data, they depend only on the kernel set, which plan.json names.
set -euo pipefail
segd=$1 data=$2 out=$3
shift 3

# make NAME SETS FLAGS... trains on train of each set and measures on its test.
make() {
	local name=$1 sets=$2 training=() test=()
	shift 2
	for set in $sets; do
		training+=(-d "$data/$set/train") test+=(-d "$data/$set/test")
	done
	"$segd" train "${training[@]}" -o "$out/$name.train" --name "$name" --card "models/cards/$name.json" "$@"
	"$segd" model export "$out/$name.train" -o "$out/$name" --half
	"$segd" evaluate "${test[@]}" -m "$out/$name" --record test --worst 0
}

model() {
	case $1 in
	nuclei) make nuclei "nuclei" --steps 3000 --seed 1 ;;
	cardiac-lv) make cardiac-lv "cardiac_mr cardiac_dicom" --steps 3000 --seed 1 --val 0 ;;
	hippocampus) make hippocampus "hippocampus_mr" --steps 2000 --no-flip --val 0 ;;
	cxr-lungs) make cxr-lungs "cxr_lungs" --steps 5000 --val 0 ;;
	retina-vessels) make retina-vessels "retina_vessels" --steps 1548 --val 0 ;;
	fetal-head) make fetal-head "us_fetal_head" --steps 1600 ;;
	*) echo "make.sh: no model $1" >&2 && exit 2 ;;
	esac
}

for name in "${@:-nuclei cardiac-lv hippocampus cxr-lungs retina-vessels fetal-head}"; do
	for each in $name; do
		model "$each"
	done
done
