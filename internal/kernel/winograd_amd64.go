//go:build amd64 && !purego

package kernel

func winogradAVX2() *winogradOps[float32] {
	return &winogradOps[float32]{
		name:   "avx2",
		lanes:  8,
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

func winogradAVX512() *winogradOps[float32] {
	return &winogradOps[float32]{
		name:       "avx512",
		lanes:      16,
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
