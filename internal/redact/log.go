package redact

import (
	"context"
	"fmt"
	"log/slog"
)

// Log returns a logger whose messages and values are redacted by value and by shape.
func (r *Redactor) Log(to *slog.Logger) *slog.Logger { return slog.New(logHandler{to.Handler(), r}) }

// logHandler redacts records before another handler has them.
type logHandler struct {
	slog.Handler
	r *Redactor
}

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, h.r.Text(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return logHandler{h.Handler.WithAttrs(clean), h.r}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name), h.r}
}

// attr redacts the texts of an attribute, whatever type they have.
func (h logHandler) attr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.r.Text(v.String()))
	case slog.KindAny:
		return slog.String(a.Key, h.r.Text(fmt.Sprintf("%+v", v.Any())))
	case slog.KindGroup:
		group := make([]slog.Attr, 0, len(v.Group()))
		for _, inner := range v.Group() {
			group = append(group, h.attr(inner))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	}
	return a
}
