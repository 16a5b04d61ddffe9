// Package unet is the segmentation network: a U-Net (Ronneberger, Fischer and
// Brox 2015, arXiv:1505.04597) as a Gorgonia expression graph, its weights, its
// training step and its inference.
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
// One function, builder.unet in net.go, draws the network, from blocks that
// block.go draws. Training runs its graph and its symbolic derivative on
// Gorgonia's TapeMachine; a Predictor compiles the same graph into a plan of
// kernel calls (plan.go). The variants of the network, residual, dense, with
// attention and so on, are values of Config's fields.
//
// Limits: images are 2-D; a Trainer has one shape of batch; a Predictor takes
// any size, beyond its tile budget in tiles. Arithmetic is float32.
package unet
