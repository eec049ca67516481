// Package watch lets an operator see what the server does: metrics for Prometheus,
// traces for OpenTelemetry, health for a load balancer, and an audit log of what was
// remembered and forgotten. None of them has a question, an address or a text that was
// read, unless a setting asks for questions in traces.
//
// Reading order: calls.go (what the server tells), metrics.go and readings.go (what
// /metrics shows), traces.go and otlp.go, health.go, audit.go.
package watch
