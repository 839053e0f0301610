//! Goroutine ids on samples.
