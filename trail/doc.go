// Package trail moves records from [otelaudit.Track] to exporters without losing one.
//
//	pg, err := postgres.Open(ctx, dsn)
//	err = pg.Migrate(ctx)
//	t, err := trail.Open(ctx, trail.Config{
//		NoJournal: true,
//		Service:   "billing",
//		Sinks: []trail.Sink{
//			{Name: "postgres", Exporter: pg},
//			{Name: "stdout", Exporter: stdout.New(os.Stdout), BestEffort: true},
//		},
//	})
//	defer t.Close()
//	otelaudit.SetDefault(t)
//
// An exporter is any of the OpenTelemetry log SDK; one that is also a [BatchExporter] gets whole batches and can tell records
// that it will never take from faults that pass. Each sink has a goroutine of its own, so that none slows another.
//
// # What it guarantees
//
// Track returns nil once every required sink has confirmed the record, or an error: never nil for a record that was
// dropped. Concurrent calls share batches. A record that a sink refuses fails its own Track and nobody else's. A sink that is
// down is retried with backoff for as long as somebody waits, at most TrackTimeout; one with a fault in its configuration is
// stopped, which fails every Track at once and shows in [Trail.Status], and is probed until the fault is gone.
//
// # What it does not
//
// Without a journal there is nothing to fall back on while a required sink is down: Track returns an error, and what its
// caller does not repeat is not recorded. Best-effort sinks lose what they cannot keep up with, counted.
package trail
