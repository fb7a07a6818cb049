using WebhookService.Bench;
using WebhookService.Bench.Deadlines;
using WebhookService.Bench.Fleet;
using WebhookService.Bench.Handlers;
using WebhookService.Bench.Ingest;
using WebhookService.Bench.Micro;
using WebhookService.Bench.Presence;
using WebhookService.Bench.Retention;

const string Usage = """
    Measures the service on this machine. Run it in Release:

      dotnet run -c Release --project bench -- fleet    a file of a million devices, then the queries over HTTP
        --devices 1000000  --messages 10000000          how much to generate
        --file PATH                                     where; if the file exists it is measured as it is
        --keep                                          leave the file behind
      dotnet run -c Release --project bench -- ingest   webhooks over HTTP, until they are on disk
        --mixes publish,real,storm                      what is sent: messages; a fleet at work; clients that connect and are cut off
        --connections 8,64,256                          keep-alive connections, one load for each number
        --pipelined 8,64,256                            the same with 100 requests of each on their way; none
        --seconds 3                                     how long each load lasts
        --quick                                         2 s, 8 and 64 connections, 8 pipelined
      dotnet run -c Release --project bench -- soak     half of what the service takes, with retention on, a line a minute
        --minutes 60                                    how long
      dotnet run -c Release --project bench -- presence  how often a device's state is wrong when reports are lost or late
        --lives 20000                                   how many devices to generate for each dialect
      dotnet run -c Release --project bench -- deadlines a million devices that wait for something, for three minutes
        --devices 1000000                               how many
        --seconds 30                                    how long as many fall due as in a real fleet
      dotnet run -c Release --project bench -- handlers business handlers that do nothing: their rate, their lag, what they leave of the ingest
        --events 1000000                                how many to replay
        --seconds 10  --connections 64                  of each ingest load
      dotnet run -c Release --project bench -- retention webhooks with and without removing what is too much
        --seconds 8                                     how long each load lasts
      dotnet run -c Release --project bench -- micro    time and memory of single parts, called directly
        parser  presence  writer                        which of them; all

    Full-size fleets, deadlines, replays, ingest and retention loads, soaks and all micro-benchmarks write their tables to docs/performance.md, 20,000 lives theirs to docs/presence.md.
    What missed its limit is marked MISSED, and the exit code is 1.
    """;

using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true; // stops what was started and removes what was written, then ends
    interrupted.Cancel();
};
try
{
    if (args is not [BareServer.Verb or BareServer.HostVerb or HandlerServer.Verb]) Load.KeepLight();
    switch (args)
    {
        case ["fleet", .. var rest]:
            return await FleetBenchmark.RunAsync(new Arguments(rest, ["devices", "messages", "file"], ["keep"]), interrupted.Token);
        case ["ingest", .. var rest]:
            return await IngestBenchmark.RunAsync(new Arguments(rest, ["mixes", "connections", "pipelined", "seconds"], ["quick"]), interrupted.Token);
        case ["soak", .. var rest]:
            return await SoakBenchmark.RunAsync(new Arguments(rest, ["minutes"], []), interrupted.Token);
        case ["presence", .. var rest]:
            return PresenceBenchmark.Run(new Arguments(rest, ["lives"], []), interrupted.Token);
        case ["deadlines", .. var rest]:
            return await DeadlineBenchmark.RunAsync(new Arguments(rest, ["devices", "seconds"], []), interrupted.Token);
        case ["handlers", .. var rest]:
            return await HandlerBenchmark.RunAsync(new Arguments(rest, ["events", "seconds", "connections"], []), interrupted.Token);
        case [HandlerServer.Verb]:
            await HandlerServer.RunAsync();
            return 0;
        case ["retention", .. var rest]:
            return await RetentionBenchmark.RunAsync(new Arguments(rest, ["seconds"], []), interrupted.Token);
        case ["micro", .. var rest]:
            return MicroBenchmark.Run(rest, interrupted.Token);
        case [BareServer.Verb]:
            await BareServer.RunAsync();
            return 0;
        case [BareServer.HostVerb]:
            await BareServer.RunInHostAsync();
            return 0;
        default:
            Console.WriteLine(Usage);
            return args is [] or ["--help"] ? 0 : 2;
    }
}
catch (UsageException mistake)
{
    await Console.Error.WriteLineAsync($"{mistake.Message}\n\n{Usage}");
    return 2;
}
catch (InvalidOperationException failure)
{
    await Console.Error.WriteLineAsync(failure.Message);
    return 1;
}
catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("Interrupted.");
    return 130;
}
