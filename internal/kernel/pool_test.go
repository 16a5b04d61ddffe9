package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRunsEachTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads, Set{})
		for _, tasks := range []int{0, 1, 2, 100, 1000} {
			count := make([]atomic.Int32, tasks)
			p.Run(tasks, func(i int) { count[i].Add(1) })
			for i := range count {
				if n := count[i].Load(); n != 1 {
					t.Errorf("%d threads: task %d of %d ran %d times", threads, i, tasks, n)
				}
			}
		}
		p.Close()
	}
}

func TestPoolConcurrentAndNested(t *testing.T) {
	p := NewPool(3, Set{})
	defer p.Close()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				p.Run(5, func(int) {
					p.Run(4, func(int) { p.Run(3, func(int) { total.Add(1) }) })
				})
			}
		})
	}
	wg.Wait()
	if got, want := total.Load(), int64(8*20*5*4*3); got != want {
		t.Errorf("%d innermost tasks, want %d", got, want)
	}
}

// A computation may use the whole pool until there is one computation for each
// thread.
func TestPoolShare(t *testing.T) {
	p := NewPool(2, Set{})
	defer p.Close()
	p.Enter()
	if p.Share() != p {
		t.Error("a single computation does not get the pool of 2 threads")
	}
	p.Enter()
	if p.Share().Threads() != 1 {
		t.Error("the second of two computations on 2 threads gets more than its own thread")
	}
	p.Leave()
	if p.Share() != p {
		t.Error("the remaining computation does not get the pool")
	}
	var none *Pool
	none.Enter()
	none.Leave()
	if none.Share() != nil {
		t.Error("the nil pool has a pool to share")
	}
}

func TestPoolPanic(t *testing.T) {
	p := NewPool(3, Set{})
	defer p.Close()
	for _, bad := range []int{0, 7, 19} {
		var ran atomic.Int32
		func() {
			defer func() {
				if r := recover(); r != "task failed" {
					t.Errorf("recovered %v, want the task's value", r)
				}
			}()
			p.Run(20, func(i int) {
				ran.Add(1)
				if i == bad {
					panic("task failed")
				}
			})
			t.Error("Run returned")
		}()
		if ran.Load() != 20 {
			t.Errorf("%d of 20 tasks ran", ran.Load())
		}
	}
	var ok atomic.Int32 // the pool still works
	p.Run(10, func(int) { ok.Add(1) })
	if ok.Load() != 10 {
		t.Errorf("%d of 10 tasks ran after a panic", ok.Load())
	}
}

func TestPoolClose(t *testing.T) {
	before := runtime.NumGoroutine()
	var pools []*Pool
	for range 10 {
		p := NewPool(4, Set{})
		p.Run(8, func(int) {})
		pools = append(pools, p)
	}
	for _, p := range pools {
		p.Close()
		p.Close()
		var n atomic.Int32
		p.Run(5, func(int) { n.Add(1) })
		if n.Load() != 5 {
			t.Errorf("%d of 5 tasks ran on a closed pool", n.Load())
		}
	}
	for range 100 { // other tests' goroutines may still be exiting
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	var none *Pool
	none.Close()
	if none.Threads() != 1 || NewPool(0, Set{}).Threads() != runtime.GOMAXPROCS(0) {
		t.Error("threads of the nil or the default pool")
	}
}

// TestPoolCloseDuringRun closes while others run: every Run must complete.
func TestPoolCloseDuringRun(t *testing.T) {
	for range 50 {
		p := NewPool(3, Set{})
		var wg sync.WaitGroup
		var n atomic.Int32
		for range 4 {
			wg.Go(func() { p.Run(50, func(int) { n.Add(1) }) })
		}
		p.Close()
		wg.Wait()
		if n.Load() != 200 {
			t.Fatalf("%d of 200 tasks ran", n.Load())
		}
	}
}
