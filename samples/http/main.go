// Http is a server and the load for it in one program: it listens on the loopback interface,
// sends itself a fixed number of requests, says how many succeeded, and ends. Each client sends the
// same requests in each run, one after the other, and never more than -requests are sent.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"example.com/http/server"
)

func main() {
	requests := flag.Int("requests", 2000, "requests to send")
	clients := flag.Int("clients", 4, "requests under way at a time")
	size := flag.Int("size", 64<<10, "bytes in each request")
	flag.Parse()
	done, err := run(*requests, *clients, *size)
	fmt.Printf("%d of %d requests answered\n", done, *requests)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(requests, clients, size int) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	service := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- service.Serve(listener) }()

	answered := load(ctx, "http://"+listener.Addr().String()+"/hash", requests, clients, size)
	if err := service.Shutdown(ctx); err != nil {
		return answered, err
	}
	if err := <-served; err != http.ErrServerClosed {
		return answered, err
	}
	if answered != int64(requests) {
		return answered, fmt.Errorf("%d requests failed", int64(requests)-answered)
	}
	return answered, nil
}

// load sends the requests from a few goroutines, each its part of them, and counts the answers.
func load(ctx context.Context, url string, requests, clients, size int) int64 {
	var answered atomic.Int64
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	body := bytes.Repeat([]byte("x"), size)
	var group sync.WaitGroup
	for i := 0; i < clients; i++ {
		share := requests*(i+1)/clients - requests*i/clients
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; n < share; n++ {
				if post(ctx, client, url, body) == nil {
					answered.Add(1)
				}
			}
		}()
	}
	group.Wait()
	return answered.Load()
}

func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
