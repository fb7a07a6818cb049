using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace WebhookService.Api.Tests.Plugins;

/// <summary>Handlers that were built apart.</summary>
public sealed class PluginTests : IDisposable
{
    private readonly APluginFolder plugins = new();

    [Fact]
    public async Task A_plug_in_that_is_dropped_into_the_folder_handles_events_and_is_seen_with_its_file()
    {
        var folder = Directory.CreateTempSubdirectory("plugged-");
        try
        {
            plugins.WithSample();
            var files = Path.Combine(folder.FullName, "csv");
            using var service = await ServiceProcess.StartAsync(folder, $"--Plugins:Folder={plugins.Path}", $"--CsvHandlers:Folder={files}");
            using var body = new StringContent(
                """{"event":"message.publish","id":"00060000000000000000000000000001","clientid":"pump-1","topic":"site/north/pump-1/alarm","payload":"{\"level\":3,\"text\":\"hot, \\\"very\\\"\"}","qos":1,"timestamp":1767225600000}""",
                Encoding.UTF8, "application/json");

            using var answer = await service.ClientWith(ApiHost.IngestToken).PostAsync("webhook/emqx", body);

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var alarms = Path.Combine(files, "alarms-2026-01-01.csv");
            await Handlers.AHandlerHost.UntilAsync(() => File.Exists(alarms) && File.ReadAllText(alarms).EndsWith('\n'));
            var line = Assert.Single(await File.ReadAllLinesAsync(alarms));
            Assert.EndsWith(""",2026-01-01T00:00:00.0000000Z,north,pump-1,3,"hot, ""very""" + "\"\"\"", line, StringComparison.Ordinal);
            var shown = JsonNode.Parse(await service.ClientWith(ApiHost.ManageToken).GetStringAsync("api/v1/handlers"))!["items"]!.AsArray();
            var origin = $"{Path.GetFileName(plugins.Path)}/CsvHandlers/CsvHandlers.dll";
            Assert.Equal(
                [("warn-on-unclean-farewell", false, null), ("write-alarms", true, origin), ("write-outages", false, origin)],
                shown.Select(one => ((string?)one!["name"], (bool)one["enabled"]!, (string?)one["origin"])));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_service_starts_without_the_folder_that_is_meant_by_default() => Assert.Null(Mistake("plugins"));

    [Fact]
    public void A_folder_that_is_named_must_be_there() => Says(Mistake(Path.Combine(plugins.Path, "nowhere")), "Plugins:Folder", "nowhere", "Create it");

    [Fact]
    public void A_file_that_is_no_assembly_is_named()
    {
        plugins.With("Letter", Encoding.UTF8.GetBytes("Dear reader, this is no assembly."));

        Says(Mistake(), "because of its plug-ins:", plugins.FileOf("Letter"), "no .NET assembly");
    }

    [Fact]
    public void A_plug_in_for_a_newer_net_is_named()
    {
        plugins.WithAssembly("Tomorrow", needs: ("System.Runtime", new(99, 0, 0, 0)));

        Says(Mistake(), plugins.FileOf("Tomorrow"), "System.Runtime 99.0.0.0", $".NET {Environment.Version}", "Build it for net10.0");
    }

    [Fact]
    public void A_dependency_that_was_not_copied_is_named()
    {
        plugins.WithSample(without: ["CsvLines.dll", "CsvHandlers.deps.json"]);

        Says(Mistake(), plugins.FileOf("CsvHandlers"), "CsvLines 1.0.0.0", "not there", "EnableDynamicLoading");
    }

    [Theory]
    [InlineData("WebhookService.Application")]
    [InlineData("Microsoft.Extensions.Logging.Abstractions")]
    public void A_plug_in_that_needs_a_newer_version_of_what_is_shared_is_named(string shared)
    {
        plugins.WithAssembly("Newer", needs: (shared, new(99, 0, 0, 0)));

        Says(Mistake(), plugins.FileOf("Newer"), $"{shared} 99.0.0.0", "built against a newer one", "update the service");
    }

    [Fact]
    public void A_plug_in_that_implements_what_the_contract_does_not_have_is_named()
    {
        plugins.WithAssembly("Newer", implements: ("WebhookService.Application", "WebhookService.Application.BusinessHandlers", "IHandlerOfTomorrow"));

        Says(Mistake(), plugins.FileOf("Newer"), "another version of the service", "IHandlerOfTomorrow");
    }

    [Fact]
    public void A_plug_in_that_calls_what_the_contract_does_not_have_is_named_at_the_start()
    {
        plugins.WithAssembly("Newer", calls: ("WebhookService.Application", "WebhookService.Application.BusinessHandlers", "HandlingContext", "Tomorrow"));

        Says(Mistake(), plugins.FileOf("Newer"), "another version of the service", "Tomorrow");
    }

    [Fact]
    public void A_plug_in_without_a_handler_is_named()
    {
        plugins.WithAssembly("Idle");

        Says(Mistake(), plugins.FileOf("Idle"), "has no handler");
    }

    [Fact]
    public void A_part_of_the_service_is_no_plug_in()
    {
        plugins.With("WebhookService.Application", File.ReadAllBytes(typeof(Application.DependencyInjection).Assembly.Location));

        Says(Mistake(), plugins.FileOf("WebhookService.Application"), "part of the service itself");
    }

    [Fact]
    public void A_folder_without_an_assembly_of_its_name_and_an_assembly_without_a_folder_are_named_together()
    {
        Directory.CreateDirectory(Path.Combine(plugins.Path, "Empty"));
        File.WriteAllText(Path.Combine(plugins.Path, "Stray.dll"), "");

        var said = Mistake();

        Says(said, plugins.FileOf("Empty"), "is not there", "Stray.dll", plugins.FileOf("Stray"));
        Assert.Equal(3, said!.Split('\n').Length);
    }

    [Fact]
    public void Copies_of_what_the_service_has_itself_do_no_harm()
    {
        plugins.WithSample(without: ["CsvHandlers.deps.json"]); // then all in the folder is taken for the plug-in's
        foreach (var assembly in new[] { typeof(Application.DependencyInjection).Assembly, typeof(Domain.ClientId).Assembly })
            File.Copy(assembly.Location, Path.Combine(plugins.Path, "CsvHandlers", Path.GetFileName(assembly.Location)));

        Assert.Null(Mistake());
    }

    [Fact]
    public void The_same_plug_in_in_two_folders_is_named()
    {
        plugins.WithSample().WithSample("Copy");

        Says(Mistake(), plugins.FileOf("CsvHandlers"), plugins.FileOf("Copy"), "same assembly");
    }

    [Fact]
    public async Task Two_handlers_of_one_name_are_named_with_the_plug_in()
    {
        plugins.WithSample();

        var mistake = await Assert.ThrowsAsync<OptionsValidationException>(() => ApiHost.StartAsync(
            new() { ["Plugins:Folder"] = plugins.Path, ["Handlers:write-alarms:Lanes"] = "4" },
            builder => builder.Services.AddSingleton(new Application.BusinessHandlers.HandlerAssembly(typeof(Twins).Assembly)).AddSingleton(new Handlers.Script())));

        Says(mistake.Message, "The handler 'write-alarms'", "CsvHandlers/CsvHandlers.dll", typeof(Twins.WriteAlarms).FullName!, "has the same name");
    }

    [Fact]
    public void A_hidden_folder_is_none_of_ours()
    {
        Directory.CreateDirectory(Path.Combine(plugins.Path, ".git"));

        Assert.Null(Mistake());
    }

    public void Dispose() => plugins.Dispose();

    /// <summary>What the operator reads when the service is composed with the folder; null if it is.</summary>
    private string? Mistake(string? folder = null)
    {
        try
        {
            using var app = (IDisposable)Program.Create([$"--Plugins:Folder={folder ?? plugins.Path}"]);
            return null;
        }
        catch (OptionsValidationException mistake)
        {
            return StartMistake.Of(mistake);
        }
    }

    private static void Says(string? said, params string[] parts) => Assert.All(parts, part => Assert.Contains(part, said, StringComparison.Ordinal));
}
