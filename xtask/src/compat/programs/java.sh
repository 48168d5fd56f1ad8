export JAVA_TOOL_OPTIONS='-Xmx256m -XX:-UsePerfData'
make_key() {
    keytool -J"$1" -genkeypair -alias key -dname CN=example -keyalg RSA -keysize 2048 -validity 10000 \
        -keystore "$2" -storepass password
    keytool -J"$1" -list -keystore "$2" -storepass password | grep -c PrivateKeyEntry
}
for collector in -XX:+UseSerialGC -XX:+UseParallelGC -XX:+UseG1GC; do
    make_key "$collector" "store$collector"
done
java --list-modules | sed 's/@.*//' | sha256sum
if command -v javac > /dev/null; then
    cat > Main.java <<'E'
import java.util.concurrent.*;
import java.util.stream.*;

public class Main {
    public static void main(String[] arguments) throws Exception {
        var pool = Executors.newFixedThreadPool(4);
        var sum = 0L;
        for (var job : pool.invokeAll(IntStream.range(0, 64).mapToObj(i -> (Callable<Long>) () ->
                LongStream.range(0, 100000).map(n -> n % (i + 1)).sum()).toList()))
            sum += job.get();
        pool.shutdown();
        System.out.println(sum + " " + IntStream.range(0, 1000000).parallel().filter(n -> n % 7 == 3).count());
        var echo = new ProcessBuilder("/bin/echo", "child").start();
        System.out.print(new String(echo.getInputStream().readAllBytes()));
    }
}
E
    javac Main.java
    java Main
fi
