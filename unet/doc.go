// Package unet implements the segmentation network: a U-Net (Ronneberger,
// Fischer and Brox 2015, arXiv:1505.04597) as a Gorgonia expression graph, with
// its weights, training step and inference.
//
// Smallest use, with the weights of a model:
//
//	p, err := unet.ReadParams(config, file)
//	q, err := unet.NewPredictor(config, p, unet.PredictorOptions{Pool: pool})
//	probabilities, err := q.Predict(ctx, image)
//
// and to train them:
//
//	t, err := unet.NewTrainer(config, p, batch, h, w, unet.TrainerOptions{Pool: pool})
//	loss, err := t.Step(unet.Batch{X: images, Y: labels}, solver)
//
// One function, builder.unet in net.go, draws the network from the blocks in
// block.go. Training runs its graph and its symbolic derivative on Gorgonia's
// TapeMachine. A Predictor compiles the same graph to a plan of kernel calls
// (plan.go). The fields of Config select the variant of the network: residual,
// dense, with attention and so on.
//
// Limits: images are 2-D. A Trainer has a fixed batch shape. A Predictor takes
// any size, and uses tiles beyond its tile budget. Arithmetic is float32.
package unet
