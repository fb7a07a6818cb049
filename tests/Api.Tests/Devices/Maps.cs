using System.Reflection;
using AutoMapper;
using Microsoft.Extensions.DependencyInjection;

namespace WebhookService.Api.Tests.Devices;

public sealed class Maps
{
    [Fact]
    public async Task Every_map_is_whole()
    {
        await using var api = await ApiHost.StartAsync();

        api.Services.GetRequiredService<IMapper>().ConfigurationProvider.AssertConfigurationIsValid();
    }

    /// <summary>The recursion that AutoMapper 8 does not bound (GHSA-rvv3-g6hj-g44x) needs a type that leads back to itself.</summary>
    [Fact]
    public async Task No_mapped_type_can_reach_itself()
    {
        await using var api = await ApiHost.StartAsync();
        var maps = api.Services.GetRequiredService<IMapper>().ConfigurationProvider.GetAllTypeMaps();

        Assert.NotEmpty(maps);
        Assert.All(maps.SelectMany(map => new[] { map.SourceType, map.DestinationType }).Distinct(), type => Assert.DoesNotContain(type, Reached(type, [])));
    }

    private static HashSet<Type> Reached(Type from, HashSet<Type> seen)
    {
        foreach (var property in from.GetProperties(BindingFlags.Instance | BindingFlags.Public))
            foreach (var type in Parts(property.PropertyType))
                if (type.Namespace?.StartsWith("WebhookService", StringComparison.Ordinal) is true && seen.Add(type)) Reached(type, seen);
        return seen;
    }

    private static IEnumerable<Type> Parts(Type type) =>
        [type, .. type.IsArray ? [type.GetElementType()!] : Type.EmptyTypes, .. type.GetGenericArguments().SelectMany(Parts)];
}
