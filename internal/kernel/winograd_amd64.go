//go:build amd64 && !purego

package kernel

func winogradAVX2(of number) *winogradOps[float32] {
	return &winogradOps[float32]{
		name:   "avx2",
		lanes:  8,
		number: of,
		filter: winogradFilterAVX2,
		input:  winogradInputAVX2,
		output: winogradOutputAVX2,
		product: [][]winogradProduct[float32]{
			nil,
			{
				winogradProductAVX2V1T1, winogradProductAVX2V1T2, winogradProductAVX2V1T3, winogradProductAVX2V1T4,
				winogradProductAVX2V1T5, winogradProductAVX2V1T6, winogradProductAVX2V1T7, winogradProductAVX2V1T8,
				winogradProductAVX2V1T9, winogradProductAVX2V1T10, winogradProductAVX2V1T11, winogradProductAVX2V1T12,
			},
			{
				winogradProductAVX2V2T1, winogradProductAVX2V2T2, winogradProductAVX2V2T3, winogradProductAVX2V2T4,
				winogradProductAVX2V2T5, winogradProductAVX2V2T6,
			},
		},
	}
}

func winogradAVX512(of number) *winogradOps[float32] {
	return &winogradOps[float32]{
		name:       "avx512",
		lanes:      16,
		number:     of,
		filter:     winogradFilterAVX512,
		halfFilter: winogradFilterHalfAVX512,
		input:      winogradInputAVX512,
		output:     winogradOutputAVX512,
		product: [][]winogradProduct[float32]{
			nil,
			{
				winogradProductAVX512V1T1, winogradProductAVX512V1T2, winogradProductAVX512V1T3, winogradProductAVX512V1T4,
				winogradProductAVX512V1T5, winogradProductAVX512V1T6, winogradProductAVX512V1T7, winogradProductAVX512V1T8,
				winogradProductAVX512V1T9, winogradProductAVX512V1T10, winogradProductAVX512V1T11, winogradProductAVX512V1T12,
				winogradProductAVX512V1T13, winogradProductAVX512V1T14,
			},
			{
				winogradProductAVX512V2T1, winogradProductAVX512V2T2, winogradProductAVX512V2T3, winogradProductAVX512V2T4,
				winogradProductAVX512V2T5, winogradProductAVX512V2T6, winogradProductAVX512V2T7, winogradProductAVX512V2T8,
				winogradProductAVX512V2T9, winogradProductAVX512V2T10, winogradProductAVX512V2T11, winogradProductAVX512V2T12,
				winogradProductAVX512V2T13, winogradProductAVX512V2T14,
			},
			{
				winogradProductAVX512V3T1, winogradProductAVX512V3T2, winogradProductAVX512V3T3, winogradProductAVX512V3T4,
				winogradProductAVX512V3T5, winogradProductAVX512V3T6, winogradProductAVX512V3T7, winogradProductAVX512V3T8,
				winogradProductAVX512V3T9,
			},
			{
				winogradProductAVX512V4T1, winogradProductAVX512V4T2, winogradProductAVX512V4T3, winogradProductAVX512V4T4,
				winogradProductAVX512V4T5, winogradProductAVX512V4T6,
			},
		},
	}
}

// winogradBF16 has the output of AVX-512, since M is in float32.
func winogradBF16() *winogradOps[float32] {
	return &winogradOps[float32]{
		name:       "avx512bf16",
		lanes:      16,
		number:     paired,
		filter:     winogradFilterBF16,
		halfFilter: winogradFilterHalfBF16,
		input:      winogradInputBF16,
		output:     winogradOutputAVX512,
		product: [][]winogradProduct[float32]{
			nil,
			{
				winogradProductBF16V1T1, winogradProductBF16V1T2, winogradProductBF16V1T3, winogradProductBF16V1T4,
				winogradProductBF16V1T5, winogradProductBF16V1T6, winogradProductBF16V1T7, winogradProductBF16V1T8,
				winogradProductBF16V1T9, winogradProductBF16V1T10, winogradProductBF16V1T11, winogradProductBF16V1T12,
				winogradProductBF16V1T13, winogradProductBF16V1T14,
			},
			{
				winogradProductBF16V2T1, winogradProductBF16V2T2, winogradProductBF16V2T3, winogradProductBF16V2T4,
				winogradProductBF16V2T5, winogradProductBF16V2T6, winogradProductBF16V2T7, winogradProductBF16V2T8,
				winogradProductBF16V2T9, winogradProductBF16V2T10, winogradProductBF16V2T11, winogradProductBF16V2T12,
				winogradProductBF16V2T13, winogradProductBF16V2T14,
			},
			{
				winogradProductBF16V3T1, winogradProductBF16V3T2, winogradProductBF16V3T3, winogradProductBF16V3T4,
				winogradProductBF16V3T5, winogradProductBF16V3T6, winogradProductBF16V3T7, winogradProductBF16V3T8,
				winogradProductBF16V3T9,
			},
			{
				winogradProductBF16V4T1, winogradProductBF16V4T2, winogradProductBF16V4T3, winogradProductBF16V4T4,
				winogradProductBF16V4T5, winogradProductBF16V4T6,
			},
		},
	}
}
