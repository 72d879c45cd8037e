package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/viper"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/crd"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/crd/apis/iamauthenticator/v1alpha1"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/crd/controller"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/dynamicfile"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/file"
)

// source is one of the reference's mappers.
type source struct {
	mapper.Mapper
	// ambiguous tells whether several entries claim a canonical ARN, so that chance may decide.
	ambiguous func(canonicalARN string) bool
}

// sources are the mappers of one question.
type sources struct {
	modes   []string
	config  config.Config
	chain   []source
	refusal string

	awsAuth *awsAuth
	objects cache.Indexer
	dynamic *dynamicfile.DynamicFileMapper
}

func newSources(question Question) (*sources, error) {
	first := config.Config{DynamicFileUserIDStrict: question.Strict}
	awsAuth, err := newAwsAuth()
	if err != nil {
		return nil, err
	}
	dynamic, err := dynamicfile.NewDynamicFileMapper(first)
	if err != nil {
		return nil, err
	}
	indexers := cache.Indexers{"canonicalARN": controller.IndexIAMIdentityMappingByCanonicalArn}
	var modes []string
	for _, mode := range question.Modes {
		if replacement, ok := mapper.DeprecatedBackendModeChoices[mode]; ok {
			mode = replacement
		}
		modes = append(modes, mode)
	}
	return &sources{
		modes:   modes,
		awsAuth: awsAuth,
		objects: cache.NewIndexer(cache.MetaNamespaceKeyFunc, indexers),
		dynamic: dynamic,
	}, nil
}

// load gives each mapper its document, as the reference's watches do.
func (s *sources) load(step Step) error {
	s.refusal = ""
	cfg, err := readConfig(step.Config)
	if err != nil {
		s.refusal = err.Error()
		return nil
	}
	s.config = cfg
	var fileMapper mapper.Mapper
	if s.has(mapper.ModeMountedFile) {
		if fileMapper, err = file.NewFileMapper(cfg); err != nil {
			s.refusal = err.Error()
			return nil
		}
	}
	if s.has(mapper.ModeEKSConfigMap) {
		s.awsAuth.load(step.AwsAuth)
	}
	if s.has(mapper.ModeDynamicFile) {
		if step.Dynamic != nil {
			// What is wrong goes to the log in the reference.
			_ = s.dynamic.CallBackForFileLoad(step.Dynamic)
		} else if err := s.dynamic.CallBackForFileDeletion(); err != nil {
			return err
		}
	}
	if err := s.replace(step.Objects); err != nil {
		return err
	}
	s.chain = nil
	for _, mode := range s.modes {
		s.chain = append(s.chain, s.source(mode, fileMapper))
	}
	return nil
}

func (s *sources) has(mode string) bool { return slices.Contains(s.modes, mode) }

func (s *sources) source(mode string, fileMapper mapper.Mapper) source {
	reserved := s.config.ReservedPrefixConfig[mode].UsernamePrefixReserveList
	switch mode {
	case mapper.ModeMountedFile:
		cfg := s.config
		return source{fileMapper, func(arn string) bool {
			return matching(arn, cfg.RoleMappings, cfg.UserMappings) > 1
		}}
	case mapper.ModeEKSConfigMap:
		reserve(s.awsAuth.mapper, reserved)
		return source{s.awsAuth.mapper, s.awsAuth.ambiguous}
	case mapper.ModeCRD:
		crdMapper := crd.NewCRDMapperWithIndexer(s.objects)
		reserve(crdMapper, reserved)
		return source{crdMapper, func(arn string) bool {
			found, err := s.objects.ByIndex("canonicalARN", arn)
			return err == nil && len(found) > 1
		}}
	case mapper.ModeDynamicFile:
		reserve(s.dynamic.DynamicFileMapStore, reserved)
		// It looks up one key in one map.
		return source{s.dynamic, func(string) bool { return false }}
	}
	panic("no such mode: " + mode)
}

// reserve sets what the mappers' constructors read from the config.
func reserve(of any, prefixes []string) {
	*field[[]string](reflect.ValueOf(of).Elem(), "usernamePrefixReserveList") = prefixes
}

func (s *sources) stop() { s.awsAuth.stop() }

// replace puts the objects in the place of those that were there, with the status that the
// reference's controller writes.
func (s *sources) replace(objects map[string]json.RawMessage) error {
	var list []any
	for name, spec := range objects {
		object := &v1alpha1.IAMIdentityMapping{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := json.Unmarshal(spec, &object.Spec); err != nil {
			return fmt.Errorf("object %s: %w", name, err)
		}
		_, canonical, err := arn.Canonicalize(strings.ToLower(object.Spec.ARN))
		if err == nil {
			object.Status.CanonicalARN = canonical
		}
		list = append(list, object)
	}
	return s.objects.Replace(list, "")
}

// readConfig asks viper for what the reference's command asks for. That command is no package
// that can be imported; the end-to-end cases hold its answers next to these.
func readConfig(text []byte) (config.Config, error) {
	var cfg config.Config
	if text == nil {
		return cfg, nil
	}
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return cfg, err
	}
	var reserved []config.ReservedPrefixConfig
	for key, into := range map[string]any{
		"server.mapRoles":             &cfg.RoleMappings,
		"server.mapUsers":             &cfg.UserMappings,
		"server.mapAccounts":          &cfg.AutoMappedAWSAccounts,
		"server.reservedPrefixConfig": &reserved,
	} {
		if err := v.UnmarshalKey(key, into); err != nil {
			return cfg, err
		}
	}
	cfg.ScrubbedAWSAccounts = v.GetStringSlice("server.scrubbedAccounts")
	cfg.ReservedPrefixConfig = map[string]config.ReservedPrefixConfig{}
	for _, one := range reserved {
		cfg.ReservedPrefixConfig[one.BackendMode] = one
	}
	return cfg, nil
}

func matching(arn string, roles []config.RoleMapping, users []config.UserMapping) int {
	count := 0
	for _, role := range roles {
		if role.Matches(arn) {
			count++
		}
	}
	for _, user := range users {
		if user.Matches(arn) {
			count++
		}
	}
	return count
}

// awsAuth is the reference's ConfigMap mapper behind a watch whose events come from here.
type awsAuth struct {
	mapper *configmap.ConfigMapMapper
	events *watch.FakeWatcher
	data   map[string]string
	exists bool
	ended  chan struct{}
}

// watched is a client of ConfigMaps that can only watch.
type watched struct {
	typedcorev1.ConfigMapInterface
	events *watch.FakeWatcher
}

func (w watched) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return w.events, nil
}

func newAwsAuth() (*awsAuth, error) {
	store := &configmap.MapStore{}
	events := watch.NewFake()
	clients := field[typedcorev1.ConfigMapInterface](reflect.ValueOf(store).Elem(), "configMap")
	*clients = watched{events: events}
	a := &awsAuth{
		mapper: &configmap.ConfigMapMapper{MapStore: store},
		events: events,
		ended:  make(chan struct{}),
	}
	return a, a.mapper.Start(a.ended)
}

func (a *awsAuth) load(data *map[string]string) {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-auth"}}
	switch {
	case data == nil && a.exists:
		a.events.Delete(object)
	case data == nil:
	case a.exists:
		object.Data = *data
		a.events.Modify(object)
	default:
		object.Data = *data
		a.events.Add(object)
	}
	a.exists = data != nil
	a.data = object.Data
	// The channel has no room: that this event is taken means that the one before is in force.
	a.events.Action(watch.Bookmark, object)
}

func (a *awsAuth) ambiguous(arn string) bool {
	users, roles, _, _ := configmap.ParseMap(a.data)
	return matching(arn, roles, users) > 1
}

func (a *awsAuth) stop() {
	close(a.ended)
	a.events.Stop()
}
