//go:build crds

// The modules whose CustomResourceDefinitions the tests install; nothing of them is linked.
package main

import (
	_ "istio.io/api/networking/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
