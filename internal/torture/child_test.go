//go:build unix

package torture

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// childVariable names the environment variable that makes this test binary a tortured process.
const childVariable = "OTELAUDIT_TORTURED"

// childConfig says what a tortured process does.
type childConfig struct {
	World          world
	Life           int
	Dir, ParentDir string // one of them
	DSN            string
	Lines          string // the file of the sink that keeps order; empty: there is none
	Workers        int
	Calls          int // of each worker; 0: until it is told to stop
	Batch          int
	Redo           []number
	Fuse           point // where it kills itself; empty: nowhere
	Times          int   // the how manieth time it comes there
	Forgetful      bool
	SetBackAfter   int64 // how often the clock is asked before it goes back an hour; 0: it does not
	ExportTimeout  time.Duration
	Seed           uint64
	Pause          time.Duration // of each worker, behind each call
	SegmentBytes   int64         // defaults to little, so that segments come and go
	TrackTimeout   time.Duration // defaults to a minute, which no disk needs
	AdoptInterval  time.Duration
}

// child is the tortured process, which this test binary becomes.
type child struct {
	config childConfig
	tell   *pipe
	fs     *tortureFS
	fuse   *fuse
	asked  atomic.Int64 // how often the clock was
}

// runChild is the main of a tortured process. Its third file is the pipe to the oracle; standard input has its orders.
func runChild(text string) error {
	c := &child{tell: &pipe{w: os.NewFile(3, "oracle")}}
	if err := json.Unmarshal([]byte(text), &c.config); err != nil {
		return err
	}
	c.tell.tell(event{Kind: started})
	c.fuse = &fuse{at: c.config.Fuse, left: c.config.Times, kill: c.kill}
	c.fs = newTortureFS(c.fuse, c.config.Forgetful)
	t, err := c.open()
	if err != nil {
		c.tell.tell(event{Kind: refused, Text: err.Error()})
		return err
	}
	c.tell.tell(event{Kind: opened, Resource: texts(t.Resource().Attributes())})
	return c.obey(t)
}

func (c *child) open() (*trail.Trail, error) {
	pg, err := openTable(context.Background(), c.config.DSN, c.fuse, func(err error) {
		c.tell.tell(event{Kind: refusal, Text: shorten(err.Error())})
	})
	if err != nil {
		return nil, err
	}
	sinks := []trail.Sink{{Name: "postgres", Exporter: pg}}
	if c.config.Lines != "" {
		l, err := openLines(c.config.Lines, c.config.Life)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, trail.Sink{Name: "lines", Exporter: l})
	}
	return trail.Open(context.Background(), trail.Config{
		Dir: c.config.Dir, ParentDir: c.config.ParentDir, FS: c.fs, SegmentBytes: cmp.Or(c.config.SegmentBytes, 256<<10),
		Service: "torture", Resource: resource.NewSchemaless(attribute.String("life", fmt.Sprint(c.config.Life))),
		Sinks: sinks, ExportTimeout: c.config.ExportTimeout, TrackTimeout: cmp.Or(c.config.TrackTimeout, time.Minute),
		AdoptInterval: c.config.AdoptInterval, Policy: otelaudit.Policy{Now: c.now},
	})
}

func (c *child) now() time.Time {
	if after := c.config.SetBackAfter; after > 0 && c.asked.Add(1) > after {
		return time.Now().Add(-time.Hour)
	}
	return time.Now()
}

// obey tracks, and does what it is told, until standard input ends.
func (c *child) obey(t *trail.Trail) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l := load{
		world: c.config.World, life: c.config.Life, workers: c.config.Workers, calls: c.config.Calls, batch: c.config.Batch,
		redo: c.config.Redo, pause: c.config.Pause, trail: t, to: c.tell,
	}
	ended := make(chan struct{})
	go func() {
		l.run(ctx)
		c.tell.tell(event{Kind: done})
		close(ended)
	}()
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		switch order := orders.Text(); order {
		case orderStop:
			stop()
			<-ended
			c.tell.tell(event{Kind: quiet})
		case orderMeasure:
			c.tell.tell(event{Kind: measured, Live: liveHeap()})
		case orderShutdown:
			patience, cancel := context.WithTimeout(context.Background(), deadline/2)
			defer cancel()
			e := event{Kind: shut}
			if err := t.Shutdown(patience); err != nil {
				e.Text = err.Error()
			}
			e.Peak = peakMemory()
			c.tell.tell(e)
			return nil
		default:
			return fmt.Errorf("no such order: %q", order)
		}
	}
	return errors.Join(orders.Err(), errors.New("the oracle is gone"))
}

// What a tortured process can be told, a line each.
const (
	orderStop     = "stop"
	orderMeasure  = "measure"
	orderShutdown = "shutdown"
)

// kill is what a fuse does. Nothing runs after it that a SIGKILL from outside would not let run.
func (c *child) kill(p point) {
	if c.config.Forgetful {
		c.fs.crash(rand.New(rand.NewPCG(c.config.Seed, 2)))
	}
	c.tell.tell(event{Kind: dying, Text: string(p)})
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// liveHeap is what the heap holds that is still in use, in bytes.
func liveHeap() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// peakMemory is the most that the process ever had in memory, in bytes, where the system tells; else 0.
func peakMemory() (peak uint64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscanf(line, "%d kB", &peak)
	return peak << 10
}

func texts(kvs []attribute.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range kvs {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}
