#!/bin/sh
# Makes an image at $1, a layout of the image specification: the shell of this host with its libraries, which
# says hello. $2 is the architecture it is for, if not this one.
set -eu
dir=$1
case ${2:-$(uname -m)} in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) arch=$2 ;;
esac
mkdir -p "$dir/blobs/sha256" "$dir/files/bin" "$dir/files/srv"
echo hello > "$dir/files/srv/greeting"
cp -L /bin/sh "$dir/files/bin/sh"
ldd /bin/sh | grep -o '/[^ )]*' | while read -r library; do
    mkdir -p "$dir/files${library%/*}"
    cp -L "$library" "$dir/files$library"
done
tar -C "$dir/files" --format=ustar -cf "$dir/layer" .

# The descriptor of a file, which becomes a blob.
blob() {
    sum=$(sha256sum "$dir/$1" | cut -d ' ' -f 1)
    size=$(wc -c < "$dir/$1" | tr -d ' ')
    mv "$dir/$1" "$dir/blobs/sha256/$sum"
    kind=application/vnd.oci.image.$2
    descriptor="{\"mediaType\":\"$kind\",\"digest\":\"sha256:$sum\",\"size\":$size}"
}

blob layer layer.v1.tar
layer=$descriptor
printf 'sha256:%s' "$sum" > "$dir/layer-digest"
cat > "$dir/config" <<END
{"architecture":"$arch","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:$sum"]},
 "config":{"Entrypoint":["/bin/sh","-c"],"Cmd":["read line < greeting; echo \$line \$COLOUR"],
           "Env":["PATH=/bin","COLOUR=blue"],"WorkingDir":"/srv","User":"nobody"}}
END
blob config config.v1+json
cat > "$dir/manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
 "config":$descriptor,"layers":[$layer]}
END
cp "$dir/manifest" "$dir/served"
blob manifest manifest.v1+json
name='"annotations":{"org.opencontainers.image.ref.name":"example/tools:v1"}'
printf '{"schemaVersion":2,"manifests":[%s,%s}]}' "${descriptor%\}}" "$name" > "$dir/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' > "$dir/oci-layout"
