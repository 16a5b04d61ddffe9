package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spin is how long a thread waits actively for work, or for others to finish,
// before it sleeps. A network has about 50 Run calls, microseconds apart, and
// waking a sleeping thread takes longer than many of them.
const spin = 200 * time.Microsecond

// Pool is a set of worker goroutines that share the tasks of Run calls, with
// the kernel set that they use. It is safe for concurrent use. The nil Pool
// runs everything in the caller with the fastest set.
type Pool struct {
	threads int
	set     Set
	alone   *Pool // the same set in the caller's own thread
	jobs    chan *job
	quit    chan struct{}
	closed  atomic.Bool
	workers sync.WaitGroup
	users   atomic.Int64 // between Enter and Leave
}

// job is one Run call.
type job struct {
	f     func(int)
	tasks int64
	next  atomic.Int64 // the next task to hand out
	left  atomic.Int64 // tasks that have not ended
	done  chan struct{}

	mu       sync.Mutex
	panicked bool
	reason   any
}

// NewPool starts threads-1 workers; the caller of Run is the last thread.
// threads < 1 means GOMAXPROCS. Work on the pool uses the kernels of set. Close
// ends the workers.
func NewPool(threads int, set Set) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, set: set, jobs: make(chan *job, 4*threads), quit: make(chan struct{})}
	p.alone = &Pool{threads: 1, set: set}
	for range threads - 1 {
		p.workers.Go(p.work)
	}
	return p
}

// Threads returns the number of threads that share a Run call, including the
// caller's; 1 for the nil Pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Set returns the kernel set of the pool.
func (p *Pool) Set() Set {
	if p == nil {
		return Set{}
	}
	return p.set
}

// Enter and Leave enclose a computation of many Run calls, such as an image in
// a network. Share depends on the number of these computations.
func (p *Pool) Enter() {
	if p != nil {
		p.users.Add(1)
	}
}

// Leave ends what Enter began.
func (p *Pool) Leave() {
	if p != nil {
		p.users.Add(-1)
	}
}

// Share returns the pool for the next Run of a computation that has entered.
// With fewer computations than threads it is p, so that each finishes soon.
// Otherwise it is a pool of the caller's own thread: a computation with its own
// core waits for no other and keeps its data in the core's cache. Results are
// identical to the bit.
func (p *Pool) Share() *Pool {
	if p != nil && p.users.Load() >= int64(p.threads) {
		return p.alone
	}
	return p
}

// Close ends the workers and waits for them. It must not be called from a task.
// A Run that is in progress, or starts later, still completes in its caller.
// Further calls do nothing.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	if !p.closed.Swap(true) {
		close(p.quit)
	}
	p.workers.Wait()
}

// Run calls f(0) … f(tasks-1), each once, in any order, and returns when all
// have ended. The caller works too, so a Run within f cannot deadlock. Tasks
// must be independent. If tasks panic, the others still run, and Run panics in
// the caller with the value of the first.
func (p *Pool) Run(tasks int, f func(task int)) {
	if tasks <= 1 || p == nil || p.threads == 1 || p.closed.Load() {
		for t := range tasks {
			f(t)
		}
		return
	}
	j := &job{f: f, tasks: int64(tasks), done: make(chan struct{})}
	j.left.Store(int64(tasks))
offer:
	for range min(p.threads, tasks) - 1 {
		select {
		case p.jobs <- j:
		default:
			break offer // every worker has other work waiting
		}
	}
	j.work()
	if !spinUntil(func() bool { return j.left.Load() == 0 }) {
		<-j.done
	}
	if j.panicked {
		panic(j.reason)
	}
}

// work runs jobs until quit. After a job it spins for the next for a while,
// unless each thread has its own computation.
func (p *Pool) work() {
	for {
		select {
		case <-p.quit:
			return
		case j := <-p.jobs:
			j.work()
		}
		spinUntil(func() bool { return len(p.jobs) > 0 || p.closed.Load() || p.users.Load() >= int64(p.threads) })
	}
}

// spinUntil waits up to spin for done and reports whether it became true. Other
// goroutines may run meanwhile.
func spinUntil(done func() bool) bool {
	for start := time.Now(); time.Since(start) < spin; runtime.Gosched() {
		if done() {
			return true
		}
	}
	return done()
}

// work takes tasks until none is left. A late worker finds none and drops the
// job, so an offer may outlive its Run call.
func (j *job) work() {
	for {
		t := j.next.Add(1) - 1
		if t >= j.tasks {
			return
		}
		j.task(int(t))
		if j.left.Add(-1) == 0 {
			close(j.done)
		}
	}
}

func (j *job) task(t int) {
	ended := false
	defer func() {
		if ended {
			return
		}
		r := recover()
		j.mu.Lock()
		defer j.mu.Unlock()
		if !j.panicked {
			j.panicked, j.reason = true, r
		}
	}()
	j.f(t)
	ended = true
}
