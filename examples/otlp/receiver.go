package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes OTLP over HTTP, as a collector does, and keeps what it gets.
type receiver struct {
	listener net.Listener
	server   *http.Server
	ended    chan error
	ready    atomic.Bool

	mu   sync.Mutex // guards got
	got  []received
	uids map[string]bool
}

// received is what the receiver notes of a log record.
type received struct{ service, event, id, actor string }

func listen() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	r := &receiver{listener: listener, ended: make(chan error, 1), uids: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", r.logs)
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { r.ended <- r.server.Serve(listener) }()
	return r, nil
}

func (r *receiver) url() string { return "http://" + r.listener.Addr().String() + "/v1/logs" }

// open ends the time in which the receiver takes nothing.
func (r *receiver) open() { r.ready.Store(true) }

func (r *receiver) close() error {
	err := r.server.Shutdown(context.Background())
	if ended := <-r.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// logs notes each record once: a record's id is what a receiver knows a redelivery by.
func (r *receiver) logs(w http.ResponseWriter, q *http.Request) {
	if !r.ready.Load() {
		http.Error(w, "not yet", http.StatusServiceUnavailable)
		return
	}
	var request collector.ExportLogsServiceRequest
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, 64<<20))
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.note(&request)
	answer, err := proto.Marshal(&collector.ExportLogsServiceResponse{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // a client that has gone comes again
}

func (r *receiver) note(request *collector.ExportLogsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ofResource := range request.GetResourceLogs() {
		service := text(ofResource.GetResource().GetAttributes(), "service.name")
		for _, ofScope := range ofResource.GetScopeLogs() {
			for _, record := range ofScope.GetLogRecords() {
				attrs := record.GetAttributes()
				id := text(attrs, "audit.record.id")
				if r.uids[id] {
					continue
				}
				r.uids[id] = true
				r.got = append(r.got, received{service, record.GetEventName(), id, text(attrs, "audit.actor.id")})
			}
		}
	}
}

func (r *receiver) received() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

func text(attrs []*common.KeyValue, key string) string {
	for _, kv := range attrs {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}
