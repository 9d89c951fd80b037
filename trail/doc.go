// Package trail moves records from [otelaudit.Track] to exporters without losing one.
//
//	pg, err := postgres.Open(ctx, dsn)
//	err = pg.Migrate(ctx)
//	t, err := trail.Open(ctx, trail.Config{
//		Dir:     "/var/lib/billing/audit",
//		Service: "billing",
//		Sinks: []trail.Sink{
//			{Name: "postgres", Exporter: pg},
//			{Name: "stdout", Exporter: stdout.New(os.Stdout), BestEffort: true},
//		},
//	})
//	defer t.Close()
//	otelaudit.SetDefault(t)
//
// Track returns once the record is on disk (fsync), in the journal in Dir; all who wait at the same time share one fsync. From
// there one goroutine for each sink takes the records to its exporter, in order, and remembers on disk how far it has come: the
// next process on the same Dir goes on there. A record that comes alone goes at once; where more come while a batch is under way,
// the next batch may wait for 250 ms, unless somebody waits for a delivery. Without any sink the journal alone keeps the records,
// and [Trail.Query] reads them.
//
// An exporter is any of the OpenTelemetry log SDK; one that is also a [BatchExporter] gets whole batches and can tell records
// that it will never take from faults that pass.
//
// # What it guarantees
//
// When Track returns nil, the record survives the death of the process and of the machine, as long as the disk keeps what fsync
// put there. Every required sink gets it, at least once, with the same id and the same bytes; it is removed from the journal
// after each of them has confirmed it. A sink that is down is tried again with backoff, for ever, while memory stays bounded:
// what waits, waits on disk. One with a fault in its configuration is stopped, which shows in [Trail.Status], and is probed until
// the fault is gone. A record that an exporter refuses for good is set aside among the [DeadLetters], on disk (fsync) before the
// sink goes on behind it. No sink slows Track or another sink.
//
// With Wait: Delivered, of the Config or of one activity, Track returns after every required sink has confirmed the record too,
// or with otelaudit.ErrNotDelivered, which is no loss: the record is on disk, and arrives later.
//
// With NoJournal, Track returns once every required sink has confirmed the record. While one of them is down, Track returns an
// error: there is nothing else that could keep the record.
//
// Track never returns nil for a record that was dropped, and never takes longer than TrackTimeout, also when the disk or an
// exporter hangs.
//
// # What it does not
//
// A disk that is lost, or that confirms what it has not written, takes with it what was not delivered. A crash has the sinks get
// again what they got in the last 100 ms: exporters that do not recognise a record by its id store it twice. Best-effort sinks
// lose what they cannot keep up with, counted. Directories on network file systems are not supported.
//
// docs/guarantees.md has the details, and the command that shows each.
package trail
