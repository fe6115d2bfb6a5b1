// Package observe reads what the platform has measured: rates and breakers from Prometheus, traces from Jaeger.
package observe
