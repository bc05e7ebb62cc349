// The parts of a Kubernetes cluster that the tests start, in one program.
//
// The first argument says which part to be; the rest are that part's own.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var parts = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": manager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
	"etcd":                    etcd,
}

func main() {
	if len(os.Args) < 2 || parts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: waypoint-kube PART [ARGUMENT...]; the parts are:")
		for part := range parts {
			fmt.Fprintln(os.Stderr, "  "+part)
		}
		os.Exit(2)
	}
	part := parts[os.Args[1]]
	os.Args = os.Args[1:]
	os.Exit(cli.Run(part()))
}

// etcd serves until SIGTERM or SIGINT. Its one argument is a configuration file.
func etcd() *cobra.Command {
	return &cobra.Command{
		Use:  "etcd CONFIGURATION",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			configuration, err := embed.ConfigFromFile(arguments[0])
			if err != nil {
				return err
			}
			server, err := embed.StartEtcd(configuration)
			if err != nil {
				return err
			}
			defer server.Close()
			end := make(chan os.Signal, 1)
			signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
			select {
			case <-server.Server.ReadyNotify():
			case err := <-server.Err():
				return err
			case <-end:
				return nil
			}
			select {
			case err := <-server.Err():
				return err
			case <-end:
				return nil
			}
		},
	}
}
